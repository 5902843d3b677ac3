"""A service forgets somebody: asked by auth, done a little later, answered once.

First the tombstones commit and every process of the service hears of them. The work is done after
`erasure_settle_seconds`, when transactions that began without knowing have ended; so nothing comes in behind it. What
is outside Postgres goes first, then all rows in one transaction with the answer. Whatever dies on the way, the job is
done again, and finds less to do.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from flotilla.app import App
from flotilla.bus.declare import Job, RetryLater
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.privacy import ErasureCompleted, ErasureFailed, ErasureRequested
from flotilla.known import CHANNEL
from flotilla.privacy import bus_tables, rows, whole
from flotilla.privacy.declare import Person, Privacy
from flotilla.privacy.tombstones import bury
from flotilla.store.postgres import Row, Transaction

log = structlog.get_logger()

KIND: Final = "privacy"
"""The kind of the jobs, erasures and exports alike."""
WHOLE: Final = "organization"
WAIT: Final = timedelta(seconds=5)

ASK: Final = """
INSERT INTO asked_erasures (request_id, organization_id, subject, state)
SELECT request_id, organization_id, subject, 'asked' FROM jsonb_to_recordset($1)
    AS t (request_id uuid, organization_id uuid, subject jsonb)
ON CONFLICT (request_id) DO UPDATE SET subject = excluded.subject,
    state = CASE WHEN asked_erasures.state = 'done' THEN 'done' ELSE 'asked' END
RETURNING *"""
READ: Final = "SELECT * FROM asked_erasures WHERE request_id = $1"
END: Final = """
UPDATE asked_erasures SET state = $2, erased = coalesce($3, erased), reason = $4, event_id = $5, ended_at = now()
WHERE request_id = $1 AND state = 'asked' RETURNING *"""


class Task(msgspec.Struct, frozen=True):
    """One request, to be done by this service."""

    what: str
    """`erase` or `export`."""
    request_id: UUID


class About(msgspec.Struct, frozen=True):
    """Whom it is about, as the request said."""

    kind: str
    contact_ids: tuple[UUID, ...]
    identity_ids: tuple[UUID, ...]
    user_ids: tuple[UUID, ...]
    asked_at: datetime
    conversation_ids: tuple[UUID, ...] = ()

    @classmethod
    def of(cls, data: Any) -> "About":
        """Of a request's data."""
        return cls(
            data.kind,
            tuple(data.contact_ids),
            tuple(data.identity_ids),
            tuple(data.user_ids),
            data.asked_at,
            tuple(data.conversation_ids),
        )

    @property
    def person(self) -> Person:
        """Their ids; none where it is about the organization."""
        return Person(self.contact_ids, self.identity_ids, self.user_ids, self.conversation_ids)

    @property
    def is_whole(self) -> bool:
        """Whether it is about the organization."""
        return self.kind == WHOLE


async def take_erasures(tx: Transaction, batch: Sequence[Received[ErasureRequested]]) -> None:
    """Remember whom to forget, and do it in a while; tell again what was done already."""
    asked = {event.data.request_id: event for event in batch if tx.app.service.name in event.data.services}
    if not asked:
        return
    abouts = {id_: About.of(event.data) for id_, event in asked.items()}
    written = [
        {"request_id": id_, "organization_id": event.org, "subject": msgspec.to_builtins(abouts[id_])}
        for id_, event in sorted(asked.items())
    ]
    standing = await tx.fetch(ASK, written)
    await bury(tx, _tombstones(asked, abouts))
    await tx.notify(CHANNEL)
    now = await tx.fetchval("SELECT now()")
    due_at = now + timedelta(seconds=tx.app.settings.erasure_settle_seconds)
    for row in standing:
        event = asked[row["request_id"]]
        cause = replace(event.cause, request_id=row["request_id"])
        if row["state"] == "done":
            _tell(tx, row, cause)
        else:
            key = f"erase:{row['request_id']}"
            tx.enqueue(KIND, key, Task("erase", row["request_id"]), org=event.org, cause=cause, due_at=due_at)


def _tombstones(
    asked: dict[UUID, Received[ErasureRequested]], abouts: dict[UUID, About]
) -> list[tuple[UUID, UUID, datetime | None]]:
    found: list[tuple[UUID, UUID, datetime | None]] = []
    for id_, event in asked.items():
        about = abouts[id_]
        found += [(event.org, gone, None) for gone in (*about.contact_ids, *about.user_ids)]
        found += [(event.org, identity, about.asked_at) for identity in about.identity_ids]
        if about.is_whole:
            found.append((event.org, event.org, None))
    return found


async def perform(app: App, request_id: UUID) -> None:
    """Outside of the transaction: bodies, indexes, files; of an organization, all its rows."""
    row = await app.db.fetchrow(READ, request_id)
    if row is None or row["state"] == "done":
        return
    privacy, org = declared(app), row["organization_id"]
    about = msgspec.convert(row["subject"], About)
    if await bus_tables.is_replaying(app.db):
        raise RetryLater(WAIT, "a replay is running")
    if about.is_whole:
        if privacy.outside_of_organization is not None:
            await whole.note(app.db, request_id, await privacy.outside_of_organization(app, org))
        await whole.forget(app, request_id, org, privacy.kept, KIND)
        return
    async with app.db.transaction(org) as tx:
        found = await rows.find(tx, privacy.rows, org, about.person)
        reason = await bus_tables.what_stands_against(tx, org, found.names(about.person))
    if reason is not None:
        raise RetryLater(WAIT, reason)
    if privacy.outside is not None:
        await whole.note(app.db, request_id, await privacy.outside(app, org, about.person))


async def finish(tx: Transaction, job: Job, _: None) -> None:
    """The rows go, and the answer is given, together."""
    row = await tx.fetchrow(READ, job.payload.request_id)
    if row is None or row["state"] == "done":
        return
    about = msgspec.convert(row["subject"], About)
    counts: Counter[str] = Counter(row["erased"])
    if about.is_whole:
        await whole.drop_jobs(tx, row["request_id"], job.org, KIND)
    else:
        counts.update(await _forget_rows(tx, job.org, about.person))
    ended = await tx.fetchrow(END, row["request_id"], "done", dict(counts), None, tx.app.new_id())
    if ended is not None:
        _tell(tx, ended, job.cause)
    log.info("privacy.erased", request=str(row["request_id"]), things=sum(counts.values()))


async def _forget_rows(tx: Transaction, org: UUID, person: Person) -> Counter[str]:
    privacy = declared(tx.app)
    found = await rows.find(tx, privacy.rows, org, person)
    counts: Counter[str] = Counter(await privacy.within(tx, org, person) if privacy.within else {})
    counts.update(await rows.forget(tx, privacy.rows, org, person, found))
    counts.update(await bus_tables.forget(tx, org, person, found, KIND))
    return counts


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Say that it did not work, and nothing of the values that it did not work with."""
    reason = type(error).__name__
    ended = await tx.fetchrow(END, job.payload.request_id, "failed", None, reason, tx.app.new_id())
    if ended is not None:
        _tell(tx, ended, job.cause)


def declared(app: App) -> Privacy:
    """What the service says it holds."""
    privacy = app.service.privacy
    if privacy is None:
        raise LookupError(f"{app.service.name} says nothing about privacy")
    return privacy


def _tell(tx: Transaction, row: Row, cause: Cause) -> None:
    name = tx.app.service.name
    answer: ErasureCompleted | ErasureFailed
    if row["state"] == "done":
        answer = ErasureCompleted(request_id=row["request_id"], service=name, erased=row["erased"])
    else:
        answer = ErasureFailed(request_id=row["request_id"], service=name, reason=row["reason"])
    tx.emit(answer, org=row["organization_id"], sequence=1, cause=cause, event_id=row["event_id"])
