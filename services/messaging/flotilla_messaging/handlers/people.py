"""Projections of who is who."""

from collections.abc import Sequence

from flotilla.bus.declare import projection
from flotilla.bus.envelope import Received
from flotilla.events.auth import User, UserCreated, UserDeactivated, UserUpdated
from flotilla.events.crm import ContactIdentified
from flotilla.store.postgres import Transaction

from flotilla_messaging.store import people


@projection(ContactIdentified, lane="directory")
async def keep_identities(tx: Transaction, batch: Sequence[Received[ContactIdentified]]) -> None:
    """Which contact is behind an identity."""
    await tx.execute(
        people.KEEP_IDENTITIES,
        [event.org for event in batch],
        [event.data.identity_id for event in batch],
        [event.data.contact_id for event in batch],
        [event.data.name for event in batch],
        [event.sequence for event in batch],
    )


@projection(UserCreated, UserUpdated, UserDeactivated, lane="directory")
async def keep_members(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Who may be given a conversation."""
    await tx.execute(
        people.KEEP_MEMBERS,
        [event.org for event in batch],
        [event.data.user_id for event in batch],
        [event.data.role for event in batch],
        [event.data.state for event in batch],
        [event.sequence for event in batch],
    )
