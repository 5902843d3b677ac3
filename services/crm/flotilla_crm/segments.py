"""Who is in which segment, kept as contacts change; each entering and leaving is told once.

A contact that changes is noted by the database (0007_segments.sql). One worker takes what was noted in batches: it
evaluates, writes who is in and emits in the transaction that takes the notes away, so that a process that dies
leaves them to the next turn. A new condition is filled the same way, in chunks of ids with its cursor beside.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.cause import Cause
from flotilla.http import ConflictError
from flotilla.store.postgres import Transaction

from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.conditions import read
from flotilla_crm.domain.segments import MAX_SEGMENTS, Segment
from flotilla_crm.store import segments as store

log = structlog.get_logger()
BATCH: Final = 500
ORGANIZATIONS: Final = 100
"""Looked at in one turn."""


async def create(tx: Transaction, org: UUID, segment: Segment) -> Segment:
    """Make a segment; it fills by and by. ConflictError where there are too many."""
    if await store.count(tx, org) >= MAX_SEGMENTS:
        raise ConflictError(f"An organization has at most {MAX_SEGMENTS} segments: delete one.")
    return await store.add(tx, org, segment)


async def look(app: App) -> None:
    """A turn of the worker: everything that was noted, and one chunk of each organization's filling."""
    rows = await app.db.fetch(store.WAITING, ORGANIZATIONS)
    for org in sorted(row["organization_id"] for row in rows):
        more = True
        while more and not app.stopping.is_set():
            async with app.db.transaction(org, cause=Cause.fresh("service:crm")) as tx:
                more = await _look_at(tx, org)


async def _look_at(tx: Transaction, org: UUID) -> bool:
    """One batch of what was noted and one chunk of filling: whether there may be more."""
    segments = await store.everybody(tx, org)
    noted = await store.take_checks(tx, org, BATCH)
    await _evaluate(tx, org, segments, noted)
    chunk = await _fill(tx, org, segments)
    return len(noted) >= BATCH or chunk


async def _fill(tx: Transaction, org: UUID, segments: Mapping[UUID, Segment]) -> bool:
    row = await store.filling(tx, org)
    if row is None:
        return False
    segment = segments.get(row["segment_id"])
    if segment is None:  # made after the segments were read: the next turn sees it
        return False
    contacts = await store.next_to_fill(tx, org, segment, row["after"], BATCH)
    await _evaluate(tx, org, {segment.id: segment}, contacts)
    await store.filled_to(tx, org, segment, contacts[-1] if len(contacts) == BATCH else None)
    return True


async def _evaluate(
    tx: Transaction, org: UUID, segments: Mapping[UUID, Segment], contacts: list[UUID]
) -> None:
    if not contacts or not segments:
        return
    conditions = {id_: read(each.condition) for id_, each in segments.items() if each.state == "active"}
    fits = await store.fitting(tx, org, contacts, conditions)
    passages = await store.pass_through(tx, org, list(segments), contacts, fits)
    for each in passages:
        fact: Any = each.told(segments[each.segment_id])
        tx.emit(fact, org=org, sequence=each.sequence, audience=AUDIENCE)
    if passages:
        log.info("segments.changed", org=str(org), passages=len(passages))


keep_segments = Worker("crm.segments", timedelta(seconds=1), look)
