"""Events of the gateway."""

from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, event

_event = partial(event, owner="gateway")


@_event("api_key.used.v1", subject="api_key_id")
class ApiKeyUsed(Event, frozen=True, kw_only=True):
    """A program called with its key; told at most once an hour a key, whichever process it called."""

    api_key_id: UUID
    used_at: Moment
    """To the hour."""


class AddressBlock(Event, frozen=True, kw_only=True):
    """An address that may not call for a while. It is not named: operators see it with `flotilla blocks list`."""

    block_id: UUID
    network: str
    """Its /24, or for IPv6 its /48."""
    caller: str
    """What the request log calls it on that day (docs/security.md)."""
    reason: str
    """`failed_authentication`, `scanning`, `malformed`, `over_limits`, or an operator's words."""
    offence: int
    """How often it was blocked lately, this time counted; 0 where an operator did it."""
    until: Moment


@_event("address.blocked.v1", subject="block_id")
class AddressBlocked(AddressBlock, frozen=True, kw_only=True):
    """The gateway, or an operator, refuses all that comes from it but channels' webhooks."""


@_event("address.unblocked.v1", subject="block_id")
class AddressUnblocked(AddressBlock, frozen=True, kw_only=True):
    """It may call again."""

    ended_by: str
    """`time`, or `operator`."""
