"""A service writes down what it knows of somebody: its part of an export, a file of JSON lines.

Read page by page, each in a transaction of its own, and streamed to the file store; the file replaces one that an
attempt before left half done. Secrets and files (columns of bytes) are not in it.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import msgspec

from flotilla.app import App
from flotilla.bus.declare import Job
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.privacy import ExportCompleted, ExportFailed, ExportRequested
from flotilla.privacy import rows
from flotilla.privacy.declare import Person
from flotilla.privacy.erasing import KIND, About, Task, declared
from flotilla.privacy.whole import read_all
from flotilla.store.files import Files
from flotilla.store.postgres import Row, Transaction

ASK: Final = """
INSERT INTO asked_exports (request_id, organization_id, subject, state)
SELECT request_id, organization_id, subject, 'asked' FROM jsonb_to_recordset($1)
    AS t (request_id uuid, organization_id uuid, subject jsonb)
ON CONFLICT (request_id) DO UPDATE SET subject = excluded.subject,
    state = CASE WHEN asked_exports.state = 'done' THEN 'done' ELSE 'asked' END
RETURNING *"""
READ: Final = "SELECT * FROM asked_exports WHERE request_id = $1"
END: Final = """
UPDATE asked_exports SET state = $2, result = $3, reason = $4, event_id = $5, ended_at = now()
WHERE request_id = $1 AND state = 'asked' RETURNING *"""


class Part(msgspec.Struct, frozen=True):
    """A file that was written."""

    path: str
    things: int
    size: int
    sha256: str


async def take_exports(tx: Transaction, batch: Sequence[Received[ExportRequested]]) -> None:
    """Write it down in a job; tell again what was done already."""
    asked = {event.data.request_id: event for event in batch if tx.app.service.name in event.data.services}
    if not asked:
        return
    written = [
        {
            "request_id": id_,
            "organization_id": event.org,
            "subject": msgspec.to_builtins(About.of(event.data)),
        }
        for id_, event in sorted(asked.items())
    ]
    for row in await tx.fetch(ASK, written):
        event = asked[row["request_id"]]
        cause = replace(event.cause, request_id=row["request_id"])
        if row["state"] == "done":
            _tell(tx, row, cause)
        else:
            task = Task("export", row["request_id"])
            tx.enqueue(KIND, f"export:{row['request_id']}", task, org=event.org, cause=cause)


async def perform(app: App, request_id: UUID) -> Part | None:
    """Write the file; None where that was done."""
    row = await app.db.fetchrow(READ, request_id)
    if row is None or row["state"] == "done":
        return None
    org, about = row["organization_id"], msgspec.convert(row["subject"], About)
    path = f"{org}/exports/{request_id}/{app.service.name}.jsonl"
    digest, things, size = hashlib.sha256(), 0, 0
    async with Files.open(app.settings.files_url, app.keyring).writing(path) as sink:
        async for table, page in _things(app, org, about):
            lines = b"".join(msgspec.json.encode({"table": table, "row": thing}) + b"\n" for thing in page)
            await sink.write(lines)
            digest.update(lines)
            things, size = things + len(page), size + len(lines)
    return Part(path, things, size, digest.hexdigest())


async def finish(tx: Transaction, job: Job, part: Part | None) -> None:
    """Say where it is."""
    if part is None:
        return
    result = msgspec.to_builtins(part)
    ended = await tx.fetchrow(END, job.payload.request_id, "done", result, None, tx.app.new_id())
    if ended is not None:
        _tell(tx, ended, job.cause)


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Say that it did not work."""
    reason = type(error).__name__
    ended = await tx.fetchrow(END, job.payload.request_id, "failed", {}, reason, tx.app.new_id())
    if ended is not None:
        _tell(tx, ended, job.cause)


async def _things(app: App, org: UUID, about: About) -> AsyncIterator[tuple[str, list[Any]]]:
    privacy = declared(app)
    if about.is_whole:
        async for table, page in read_all(app, org):
            yield table, page
    else:
        async for table, page in _of_person(app, org, about.person):
            yield table, page
    if privacy.documents is not None:
        async for collection, page in privacy.documents(app, org, None if about.is_whole else about.person):
            yield collection, page


async def _of_person(app: App, org: UUID, person: Person) -> AsyncIterator[tuple[str, list[Any]]]:
    declared_rows = declared(app).rows
    async with app.db.transaction(org) as tx:
        found = await rows.find(tx, declared_rows, org, person)
    for place, each in enumerate(declared_rows):
        async with app.db.transaction(org) as tx:
            page = await rows.read(tx, declared_rows, place, org, person, found)
        if page:
            yield each.table, page


def _tell(tx: Transaction, row: Row, cause: Cause) -> None:
    name = tx.app.service.name
    answer: ExportCompleted | ExportFailed
    if row["state"] == "done":
        answer = ExportCompleted(request_id=row["request_id"], service=name, **row["result"])
    else:
        answer = ExportFailed(request_id=row["request_id"], service=name, reason=row["reason"])
    tx.emit(answer, org=row["organization_id"], sequence=1, cause=cause, event_id=row["event_id"])
