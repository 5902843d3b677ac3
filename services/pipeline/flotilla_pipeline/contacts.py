"""Contacts as deals know them: crm's, also where two become one or one goes.

All of it runs in one lane, the copies before the deals, so that a merge that comes after its undoing is seen to be
late by the copy's sequence.
"""

from collections.abc import Sequence
from typing import Any

from flotilla.bus.declare import projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.crm import (
    Contact,
    ContactCreated,
    ContactDeleted,
    ContactMerged,
    ContactUnmerged,
    ContactUpdated,
)
from flotilla.store.postgres import Transaction

from flotilla_pipeline.commands import AUDIENCE
from flotilla_pipeline.domain.deals import Deal
from flotilla_pipeline.store import merged, people


@projection(
    ContactCreated,
    ContactUpdated,
    ContactUnmerged,
    ContactMerged,
    ContactDeleted,
    lane="directory",
    tables=("contacts",),
)
async def keep_contacts(tx: Transaction, batch: Sequence[Received[Any]]) -> None:
    """Know whom a deal may be with, whom no more, and who they are now."""
    if living := [event for event in batch if isinstance(event.data, Contact)]:
        await people.keep_contacts(tx, living)
    if gone := [event for event in batch if not isinstance(event.data, Contact)]:
        await merged.bury(tx, gone)
    await tx.arrived("contact", [event.data.contact_id for event in batch])


@reaction(ContactMerged, lane="directory")
async def follow_merges(tx: Transaction, batch: Sequence[Received[ContactMerged]]) -> None:
    """Lead deals to the contact that stayed.

    Where each of the two has a deal in one pipeline that is not over, which is one at a time, the other's stays
    with the contact that went, which is still known to be the one that stayed.
    """
    current = await merged.current(tx, batch)
    for event in _in_order(batch):
        if (event.org, event.data.contact_id, event.sequence) in current:
            wish = event.data
            moved = await merged.lead_on(tx, event.org, wish.contact_id, wish.into_contact_id, wish.merge_id)
            _tell(tx, event, moved, wish.contact_id)


@reaction(ContactUnmerged, lane="directory")
async def follow_unmerges(tx: Transaction, batch: Sequence[Received[ContactUnmerged]]) -> None:
    """Lead back the deals that the merge had led on."""
    for event in _in_order(batch):
        wish = event.data
        moved = await merged.lead_back(tx, event.org, wish.contact_id, wish.from_contact_id, wish.merge_id)
        _tell(tx, event, moved, wish.from_contact_id)


@reaction(ContactDeleted, lane="directory")
async def follow_deletions(tx: Transaction, batch: Sequence[Received[ContactDeleted]]) -> None:
    """Deals stay, with nobody: what was sold was sold."""
    for event in _in_order(batch):
        moved = await merged.let_go(tx, event.org, event.data.contact_id)
        _tell(tx, event, moved, event.data.contact_id)


def _in_order(batch: Sequence[Received[Any]]) -> list[Received[Any]]:
    """In one order for all processes, that none waits for another in a circle."""
    return sorted(batch, key=lambda event: (event.org, event.data.contact_id, event.sequence))


def _tell(tx: Transaction, event: Received[Any], deals: Sequence[Deal], before: Any) -> None:
    for deal in deals:
        updated = deal.updated({"contact_id": [before, deal.contact_id]})
        tx.emit(updated, org=event.org, sequence=deal.sequence, cause=event, audience=AUDIENCE)
