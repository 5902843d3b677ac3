"""Clients: people outside who sign in to see what is theirs; told by event which contacts they are.

Every service that shows them something keeps that, and its database goes by it (`scope_clients`).
"""

from collections.abc import Sequence
from uuid import UUID

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.auth import ClientLinked, ClientUnlinked
from flotilla.events.crm import ContactDeleted, ContactMerged, ContactUnmerged
from flotilla.store.postgres import Transaction

from flotilla_auth.onboarding import LANE
from flotilla_auth.store import clients as store
from flotilla_auth.store.clients import Client


async def link(tx: Transaction, org: UUID, user_id: UUID, contact_id: UUID) -> None:
    """They are this contact from now on."""
    _tell(tx, await store.link(tx, org, user_id, contact_id))


async def unlink(tx: Transaction, org: UUID, user_id: UUID) -> None:
    """They are nobody's contact; nothing where they were none."""
    if (now := await store.unlink(tx, org, user_id)) is not None:
        _tell(tx, now)


# One after the other, in all of these: of a chain of merges each builds on the one before, and they are few.
@reaction(ContactMerged, lane=LANE)
async def follow_merges(tx: Transaction, batch: Sequence[Received[ContactMerged]]) -> None:
    """What either of the two had is the client's."""
    for event in batch:
        told = event.data
        changed = await store.merge(tx, event.org, told.contact_id, told.into_contact_id, told.merge_id)
        for now in changed:
            _tell(tx, now, event)


@reaction(ContactUnmerged, lane=LANE)
async def follow_unmerges(tx: Transaction, batch: Sequence[Received[ContactUnmerged]]) -> None:
    """What came by the merge is somebody else's again."""
    for event in batch:
        for now in await store.unmerge(tx, event.org, event.data.merge_id):
            _tell(tx, now, event)


@reaction(ContactDeleted, lane=LANE)
async def follow_deletions(tx: Transaction, batch: Sequence[Received[ContactDeleted]]) -> None:
    """Nobody is a contact that is gone."""
    for event in batch:
        for now in await store.forget(tx, event.org, event.data.contact_id):
            _tell(tx, now, event)


def _tell(
    tx: Transaction,
    now: Client,
    cause: Received[ContactMerged | ContactUnmerged | ContactDeleted] | None = None,
) -> None:
    type_ = ClientLinked if now.contact_ids else ClientUnlinked
    event = type_(user_id=now.user_id, contact_ids=now.contact_ids)
    tx.emit(event, org=now.organization_id, sequence=now.sequence, cause=cause)
