"""A service whose handlers, jobs and timers do what a test tells them to; also a process that dies when told."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, Lane, NotYetKnown, TimerKind, reaction
from flotilla.bus.envelope import Received
from flotilla.events.crm import ContactCreated, NoteCreated, TaskCompleted, TaskCreated
from flotilla.http import Routes, Tx, Who
from flotilla.ids import new_id
from flotilla.service import Service
from flotilla.store.postgres import Transaction
from flotilla.testing import synthetic

from libs.common.tests.bus.samples import task

ERRAND, BELL = "errand", "bell"
LEASE = timedelta(seconds=6)
ATTEMPTS = 3
CONCURRENCY = 2

FAILS, CHAIN = "fails", "chain"
TAKE_TIME = "SELECT pg_sleep(5)"
"""Long enough for what a test does meanwhile on a slow machine, and less than what a process that leaves is given."""
RECORD = "INSERT INTO applied (organization_id, id) VALUES ($1, $2)"
REMARK = "INSERT INTO effects VALUES ($1, $2, $3)"
OBEYED = "remark"
HOLD = "SELECT FROM effects WHERE organization_id = $1 AND id = $2 FOR UPDATE"
"""What a job's end and a timer are about, where there is such a row."""


class Errand(msgspec.Struct):
    """What a job or a timer is told."""

    id: UUID
    note: str = ""


class ToldToFailError(Exception):
    """What a test asked for."""


@dataclass
class Outside:
    """What the outside does for a job's key, and the jobs it was asked for; shared by replicas of one process."""

    answers: dict[str, Callable[[Job], Awaitable[Any]]] = field(default_factory=dict)
    asked: list[Job] = field(default_factory=list)
    unfinishable: set[str] = field(default_factory=set)
    broken_bells: set[str] = field(default_factory=set)
    begun: Counter[str] = field(default_factory=Counter)
    """How often the end of each job, and each timer, was begun."""
    batches: list[list[UUID]] = field(default_factory=list)
    """The tasks of each batch that `obey` was given."""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    may_move: asyncio.Event = field(default_factory=asyncio.Event)
    """What `move_bell` says and waits for."""
    away_for: int = 0
    """How many times more a store that `obey` needs is away."""

    def attempts(self, key: str) -> list[tuple[int, bool]]:
        """(attempt, interrupted) of every time it was asked."""
        return [(job.attempt, job.interrupted) for job in self.asked if job.key == key]


outside = Outside()


async def perform(app: App, job: Job) -> str:
    """As told; by default at once."""
    outside.asked.append(job)
    if job.payload.note == "die" and not job.interrupted:
        os.kill(os.getpid(), signal.SIGKILL)
    answer = outside.answers.get(job.key)
    return str(await answer(job)) if answer else "done"


async def finish(tx: Transaction, job: Job, result: str) -> None:
    """One row for each job that was done, and an event."""
    if job.key in outside.unfinishable:
        raise ToldToFailError
    await _hold(tx, job)
    await tx.execute(RECORD, job.org, job.payload.id)
    tx.emit(_completed(job.payload.id), org=job.org, sequence=3)


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """A remark for each that was not."""
    await tx.execute(REMARK, job.org, job.payload.id, type(error).__name__)


async def ring(tx: Transaction, job: Job) -> None:
    """One row for each bell that rang."""
    if job.key in outside.broken_bells:
        raise ToldToFailError
    await _hold(tx, job)
    await tx.execute(RECORD, job.org, job.payload.id)


async def _hold(tx: Transaction, job: Job) -> None:
    outside.begun[job.key] += 1
    await tx.execute(HOLD, job.org, job.payload.id)


@reaction(TaskCreated, lane="work")
async def obey(tx: Transaction, batch: Sequence[Received[TaskCreated]]) -> None:
    """Does what the title says; by default one row."""
    outside.batches.append([event.data.task_id for event in batch])
    for event in batch:
        await tx.execute(RECORD, event.org, event.data.task_id)
        title = event.data.title or ""
        if title.startswith(FAILS):
            raise ValueError(f"{title}: {event.data.task_id}")
        match title:
            case "chain":
                tx.emit(_note(), org=event.org, sequence=1, cause=event, audience="org")
            case "unwritable":
                tx.enqueue(ERRAND, str(event.id), Errand(event.id, "\x00"), org=event.org, cause=event)
            case "swallows":
                with contextlib.suppress(asyncpg.PostgresError):
                    await tx.execute("SELECT 1 / 0")
            case "too large":
                tx.emit(_completed(event.data.task_id, "x" * 70_000), org=event.org, sequence=2, cause=event)
            case "needs a store" if outside.away_for:
                outside.away_for -= 1
                raise ConnectionError("away")
            case "slow":
                await tx.execute(TAKE_TIME)
            case "early":
                raise NotYetKnown("contact", event.data.contact_id)


@reaction(TaskCreated, lane="work")
async def remark(tx: Transaction, batch: Sequence[Received[TaskCreated]]) -> None:
    """A second handler of the same events, which never fails."""
    for event in batch:
        await tx.execute(f"{REMARK} ON CONFLICT DO NOTHING", event.org, event.data.task_id, OBEYED)


@reaction(ContactCreated, lane="arrivals")
async def welcome(tx: Transaction, batch: Sequence[Received[ContactCreated]]) -> None:
    """What was early may go on."""
    await tx.arrived("contact", [event.data.contact_id for event in batch])


@reaction(NoteCreated, lane="errands")
async def send_out(tx: Transaction, batch: Sequence[Received[NoteCreated]]) -> None:
    """A job for each note."""
    for event in batch:
        tx.enqueue(ERRAND, str(event.data.note_id), Errand(event.data.note_id), org=event.org, cause=event)


def _completed(task_id: UUID, title: str = "done") -> TaskCompleted:
    made = task(title, task_id)
    return TaskCompleted(**msgspec.structs.asdict(made) | {"state": "completed"})


def _note() -> NoteCreated:
    return NoteCreated(
        note_id=new_id(),
        author_id=new_id(),
        text=None,
        contact_id=None,
        company_id=None,
        created_at=datetime.now(UTC),
    )


notes = Routes("/v1/notes", tag="workshop")


@notes.post("", permission="notes:write", status_code=201)
async def begin_chain(tx: Tx, who: Who) -> dict[str, str]:
    """Request → task → (obey) → note → (send_out) → job → completed task."""
    first = task(CHAIN)
    tx.emit(first, org=who.org, sequence=1, audience=f"user:{who.user_id}")
    return {"task_id": str(first.task_id)}


@notes.post("/failing", permission="notes:write")
async def fail(body: dict[str, str], tx: Tx) -> None:
    """An error that knows too much."""
    raise RuntimeError(f"no note for {body}")


@notes.get("/slow", permission="notes:read")
async def read_slowly(tx: Tx) -> dict[str, str]:
    """A request that takes its time."""
    await tx.execute(TAKE_TIME)
    return {"read": "slowly"}


tasks = Routes("/v1/tasks", tag="workshop")


@tasks.post("/{task_id}/bell", permission="tasks:write", status_code=204, audited="nothing")
async def move_bell(task_id: UUID, tx: Tx, who: Who) -> None:
    """Holds what the bell is about, and moves it an hour away once it rings."""
    await tx.execute(HOLD, who.org, task_id)
    outside.held.set()
    await outside.may_move.wait()
    due_at = datetime.now(UTC) + timedelta(hours=1)
    tx.set_timer(BELL, str(task_id), due_at, Errand(task_id), org=who.org)


@tasks.post("", permission="tasks:write", status_code=201)
async def make_task(body: dict[str, UUID], tx: Tx, who: Who) -> dict[str, UUID]:
    """A wish whose fulfilment is a row that `obey` writes."""
    tx.emit(task(task_id=body["task_id"]), org=who.org, sequence=1)
    return body


service = Service(
    name="crm",
    migrations_folder=synthetic.service.migrations,
    routes=(notes, tasks),
    lanes=(Lane("work", wait=timedelta(milliseconds=20), batch=5), Lane("arrivals"), Lane("errands")),
    handlers=(obey, remark, welcome, send_out),
    jobs=(JobKind(ERRAND, Errand, perform, finish, give_up, LEASE, ATTEMPTS, CONCURRENCY),),
    timers=(TimerKind(BELL, Errand, ring),),
    emits=(NoteCreated, TaskCompleted, TaskCreated),
)
