"""Under whose law of marketing contacts live, by their telephone numbers: told to those who write to them.

The database notes a contact whose number is new (0020_regions.sql), so that nothing which changes one can forget it.
One worker takes the notes in batches and tells in the transaction that takes them away: a process that dies leaves them
to the next turn. A customer's message waits for none of it.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.cause import Cause
from flotilla.events.crm import ContactLocated

from flotilla_crm.domain.regions import region_of_number
from flotilla_crm.store import regions as store

BATCH: Final = 500
ORGANIZATIONS: Final = 100
"""Looked at in one turn."""


async def look(app: App) -> None:
    """A turn of the worker."""
    for org in await store.waiting(app.db, ORGANIZATIONS):
        while await _locate(app, org) and not app.stopping.is_set():
            pass


async def _locate(app: App, org: UUID) -> bool:
    """Tell of one batch: whether there may be more."""
    async with app.db.transaction(org, cause=Cause.fresh("service:crm")) as tx:
        contacts, notes = await store.take(tx, org, BATCH)
        for each in contacts:
            region = region_of_number(each.phone)
            # Of most countries' numbers there is nothing to tell, unless another was told of before.
            if region is not None or each.had_one:
                tx.emit(ContactLocated(contact_id=each.id, region=region), org=org, sequence=each.sequence)
    return notes >= BATCH


locate_contacts = Worker("crm.regions", timedelta(seconds=1), look)
