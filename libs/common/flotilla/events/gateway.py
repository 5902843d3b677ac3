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
