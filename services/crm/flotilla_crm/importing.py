"""Imports, read chunk by chunk: each is a leased job, whose rows, cursor and successor commit together.

A process that dies leaves a lease that runs out; the next attempt reads the same chunk again from the cursor, of
which nothing was written. So the memory it takes is that of a chunk, and no row is written twice.
"""

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.store.postgres import Transaction

from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain import csv_files
from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.imports import MAX_KEPT_ERRORS, MAX_ROWS, Draft, Import, Mistake, Plan, draft_of
from flotilla_crm.domain.revision import Changed, revise
from flotilla_crm.domain.timeline import Entry, Kind
from flotilla_crm.store import imports as store
from flotilla_crm.store import merges, people, timeline

KIND: Final = "import_rows"


class ChunkPayload(msgspec.Struct, frozen=True):
    """Which import; where it stands, it knows itself."""

    import_id: UUID


@dataclass(frozen=True)
class Chunk:
    """What a piece of a file says."""

    begins: int
    """The position that it was read from."""
    ends: int
    rows: int
    drafts: list[Draft]
    mistakes: list[Mistake]
    over: bool
    failure: str | None = None
    """Why nothing can be read from here on."""


@dataclass
class _Outcome:
    """What becomes of the rows of a chunk."""

    new: dict[UUID, Contact] = field(default_factory=dict)
    changed: dict[UUID, tuple[Contact, Changed]] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


async def start(
    tx: Transaction, org: UUID, found: Import, plan: Plan, *, dry_run: bool, head: bytes
) -> Import:
    """Begin to read a file whose parts are all there; `head` is its beginning."""
    begun = await store.begin(
        tx, org, found.id, dry_run=dry_run, plan=asdict(plan), position=csv_files.mark_length(head)
    )
    tx.enqueue(KIND, str(found.id), ChunkPayload(found.id), org=org)
    return begun


async def _perform(app: App, job: Job) -> Chunk | None:
    """Read the next chunk; nothing is written."""
    import_id: UUID = job.payload.import_id
    async with app.db.transaction(job.org) as tx:
        found = await store.read(tx, job.org, import_id)
        if found is None or found.state != "running":
            return None
        data = await store.read_bytes(tx, job.org, import_id, found.position, csv_files.PIECE)
    plan = msgspec.convert(found.plan, Plan)
    try:
        piece = csv_files.read_piece(
            data, last=len(data) < csv_files.PIECE, encoding=plan.encoding, delimiter=plan.delimiter
        )
    except csv_files.UnreadableError as error:
        return Chunk(found.position, found.position, 0, [], [], over=True, failure=str(error))
    return _chunk(job.org, found, plan, piece)


def _chunk(org: UUID, found: Import, plan: Plan, piece: csv_files.Piece) -> Chunk:
    first = found.rows_read == 0 and plan.header
    rows = piece.rows[1:] if first else piece.rows
    number = found.rows_read + (2 if plan.header else 1)
    drafts: list[Draft] = []
    mistakes: list[Mistake] = []
    for place, cells in enumerate(rows, number):
        if any(cell.strip() for cell in cells):
            read = draft_of(org, place, cells, plan)
            if isinstance(read, Draft):
                drafts.append(read)
            else:
                mistakes += read
    failure = None
    if found.rows_read + len(rows) > MAX_ROWS:
        failure = f"A file may have {MAX_ROWS} rows: divide it."
    ends = found.position + piece.consumed
    return Chunk(found.position, ends, len(rows), drafts, mistakes, over=piece.ended, failure=failure)


async def _finish(tx: Transaction, job: Job, chunk: Chunk | None) -> None:
    """Write the chunk's rows, how far it is, and the job of the next one."""
    org: UUID = job.org
    found = await store.read(tx, org, job.payload.import_id, lock=True)
    if chunk is None or found is None or (found.state, found.position) != ("running", chunk.begins):
        return  # deleted meanwhile, or begun anew, which has a job of its own
    if chunk.failure is not None:
        await _end(tx, org, found, "failed", chunk.failure)
        return
    outcome = await _outcome(tx, org, found, chunk.drafts)
    mistakes = chunk.mistakes + outcome.mistakes
    if not found.dry_run:
        await _write(tx, org, found, outcome)
    if mistakes and found.failed < MAX_KEPT_ERRORS:
        await store.add_errors(tx, org, found.id, mistakes)
    tally = (len(outcome.new), len(outcome.changed), len({each.row for each in mistakes}))
    saved = await store.advance(tx, org, found, chunk.ends, chunk.rows, tally)
    tx.emit(saved.progressed(), org=org, sequence=saved.sequence, audience=_audience(saved))
    if chunk.over:
        await _end(tx, org, saved, "checked" if saved.dry_run else "done", None)
    else:
        tx.enqueue(KIND, str(found.id), ChunkPayload(found.id), org=org)


async def _give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """What cannot be read after several attempts is not tried for ever."""
    found = await store.read(tx, job.org, job.payload.import_id, lock=True)
    if found is not None and found.state == "running":
        await _end(tx, job.org, found, "failed", f"It stopped: {type(error).__name__}. Begin it again.")


async def _end(tx: Transaction, org: UUID, found: Import, state: str, reason: str | None) -> None:
    ended = await store.end(tx, org, found.id, state, reason)
    tx.emit(ended.finished(), org=org, sequence=ended.sequence, audience=_audience(ended))


async def _outcome(tx: Transaction, org: UUID, found: Import, drafts: list[Draft]) -> _Outcome:
    """Who each row is: somebody who is there, somebody of an earlier row, or somebody new."""
    outcome = _Outcome()
    known: dict[Any, set[UUID]] = {}
    for reach, contact_id in await people.contacts_reached(tx, [r for each in drafts for r in each.reaches]):
        known.setdefault(reach, set()).add(contact_id)
    held = await merges.hold(tx, org, *set().union(*known.values()))
    fills = found.plan is not None and found.plan["on_match"] == "fill"
    for draft in drafts:
        meant = set().union(*(known.get(reach, set()) for reach in draft.reaches))
        if len(meant) > 1:
            words = "Several contacts have this e-mail address or phone number."
            outcome.mistakes.append(Mistake(draft.row, None, words))
            continue
        contact_id = meant.pop() if meant else tx.app.new_id()
        for reach in draft.reaches:
            known.setdefault(reach, set()).add(contact_id)
        if contact_id in outcome.new:
            outcome.new[contact_id] = revise(
                outcome.new[contact_id], _filled(outcome.new[contact_id], draft)
            )[0]
        elif contact_id not in held:
            outcome.new[contact_id] = _new(contact_id, draft)
        elif fills:
            _fill(outcome, held[contact_id], draft)
    return outcome


def _fill(outcome: _Outcome, there: Contact, draft: Draft) -> None:
    before = outcome.changed[there.id][0] if there.id in outcome.changed else there
    after = replace(before, **_filled(before, draft))
    wanted = {name: getattr(after, name) for name in _FILLED}
    revised, changed = revise(there, wanted)
    if changed:
        outcome.changed[there.id] = (revised, changed)


_FILLED: Final = ("name", "email", "phone", "language", "tags", "custom_fields")


def _filled(there: Contact, draft: Draft) -> dict[str, Any]:
    """What a row knows and the contact does not; tags and custom fields are added."""
    values = {
        name: getattr(draft, name)
        for name in ("name", "email", "phone", "language")
        if getattr(there, name) is None and getattr(draft, name) is not None
    }
    tags = sorted({*there.tags, *draft.tags})
    return {**values, "tags": tags, "custom_fields": {**draft.custom_fields, **there.custom_fields}}


def _new(contact_id: UUID, draft: Draft) -> Contact:
    now = datetime.now(UTC)
    values = {name: getattr(draft, name) for name in _FILLED}
    return Contact(id=contact_id, source="import", created_at=now, updated_at=now, **values)


async def _write(tx: Transaction, org: UUID, found: Import, outcome: _Outcome) -> None:
    actor = f"user:{found.started_by}"
    if outcome.new:
        await store.add_contacts(tx, org, outcome.new.values())
    entries = []
    for contact in outcome.new.values():
        event = tx.emit(contact.created(), org=org, sequence=1, audience=AUDIENCE)
        entries.append(
            Entry(
                id=event,
                org=org,
                kind=Kind.CONTACT_CREATED,
                at=contact.created_at,
                reference_id=contact.id,
                contact_id=contact.id,
                actor=actor,
            )
        )
    await timeline.append(tx, entries)
    if outcome.changed:
        revised = [contact for contact, _ in outcome.changed.values()]
        sequences = await store.save_contacts(tx, org, revised)
        for contact, changed in outcome.changed.values():
            updated = contact.updated(changed)
            tx.emit(updated, org=org, sequence=sequences[contact.id], audience=AUDIENCE)


def _audience(found: Import) -> str:
    return f"user:{found.started_by}"


import_rows = JobKind(
    KIND, ChunkPayload, _perform, _finish, _give_up, lease=timedelta(seconds=60), attempts=5, concurrency=2
)
