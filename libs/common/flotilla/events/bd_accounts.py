"""Events of integrations: accounts that business development writes from, bought, rented and given to people."""

from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, event

_event = partial(event, owner="integrations")


class BdAccount(Event, frozen=True, kw_only=True):
    """The state of an account for business development."""

    bd_account_id: UUID
    """Also the id of the connected account that it is."""
    network: str
    """The connector: `telegram`."""
    name: str
    acquired: str
    """`own`, `purchased` or `rented`."""
    state: str
    """`connected`, `disconnected`, `lent` while another organization has it, `sold`, or `released`."""
    user_id: UUID | None
    """Who writes from it; null where nobody does yet."""
    daily_limit: int
    """Messages a day (UTC), once it is warm."""
    warm_up_ends_at: Moment | None
    """Until then it may send fewer, a little more each day; null where it is not being warmed up."""
    rent_ends_at: Moment | None
    purchase_id: UUID | None
    """What it was bought or rented by."""
    reason: str | None = None


@_event("bd_account.connected.v1", subject="bd_account_id")
class BdAccountConnected(BdAccount, frozen=True, kw_only=True):
    """It can be written from."""


@_event("bd_account.disconnected.v1", subject="bd_account_id")
class BdAccountDisconnected(BdAccount, frozen=True, kw_only=True):
    """It can't: its network refuses it, a person disconnected it, or another organization has it now."""


@_event("bd_account.purchased.v1", subject="bd_account_id")
class BdAccountPurchased(BdAccount, frozen=True, kw_only=True):
    """It was paid for, handed over, and is the organization's."""


@_event("bd_account.rented.v1", subject="bd_account_id")
class BdAccountRented(BdAccount, frozen=True, kw_only=True):
    """It was paid for, handed over, and is the organization's until `rent_ends_at`."""


@_event("bd_account.released.v1", subject="bd_account_id")
class BdAccountReleased(BdAccount, frozen=True, kw_only=True):
    """It is no longer rented or reserved, and can be had by others; the reason says why."""


class Bidi(Event, frozen=True, kw_only=True):
    """Who writes from an account for business development."""

    bd_account_id: UUID
    user_id: UUID


@_event("bidi.assigned.v1", subject="bd_account_id")
class BidiAssigned(Bidi, frozen=True, kw_only=True):
    """This person does from now on."""


@_event("bidi.unassigned.v1", subject="bd_account_id")
class BidiUnassigned(Bidi, frozen=True, kw_only=True):
    """This person does no longer."""


class Handover(Event, frozen=True, kw_only=True):
    """A step of a purchase or rent."""

    request_id: UUID
    """Of the `bd_account.handover.requested`, or of the `bd_account.revoke.requested`, that it is or answers."""
    purchase_id: UUID


@_event("bd_account.handover.requested.v1", subject="purchase_id", wish=True)
class BdAccountHandoverRequested(Handover, frozen=True, kw_only=True):
    """What was paid for shall change hands. Answered by `bd_account.handed_over` or `bd_account.handover.failed`."""


@_event("bd_account.handed_over.v1", subject="purchase_id")
class BdAccountHandedOver(Handover, frozen=True, kw_only=True):
    """The buyer has it."""

    bd_account_id: UUID
    """The buyer's."""


@_event("bd_account.handover.failed.v1", subject="purchase_id")
class BdAccountHandoverFailed(Handover, frozen=True, kw_only=True):
    """The seller keeps it."""

    reason: str
    """For people to read, or `cancelled`."""


@_event("bd_account.revoke.requested.v1", subject="purchase_id", wish=True)
class BdAccountRevokeRequested(Handover, frozen=True, kw_only=True):
    """A hand-over, or the wish for one, is taken back. Answered by `bd_account.revoked` or `bd_account.revoke.failed`.

    Where `cancels` has not come yet, it is refused when it does, and the answer is `bd_account.revoked` as well.
    """

    cancels: UUID
    """The `request_id` of the `bd_account.handover.requested` to undo."""
    reason: str


@_event("bd_account.revoked.v1", subject="purchase_id")
class BdAccountRevoked(Handover, frozen=True, kw_only=True):
    """The seller has it again, or never gave it away."""


@_event("bd_account.revoke.failed.v1", subject="purchase_id")
class BdAccountRevokeFailed(Handover, frozen=True, kw_only=True):
    """The buyer keeps it."""

    reason: str
