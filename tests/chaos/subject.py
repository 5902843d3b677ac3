"""The service that is killed: one command whose effects go every way that the bus has.

    POST /v1/parcels ─▶ company.created ─▶ copied          a projection
                                       └─▶ weighed         a reaction that prepares, and that begins
                                             ├─▶ noted         a second event and its reaction
                                             ├─▶ posted        a leased job that calls the vendor
                                             ├─▶ rung          a timer
                                             ├─▶ handed over   a saga of two steps, granted by this service itself
                                             └─▶ called off    a saga that nobody answers: its deadline takes it back

It runs under the name `crm`, because roles and passwords exist for the thirteen names only, and speaks with the
events of crm: what they say is of no matter here, only that each has its effects, once.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, Lane, TimerKind, projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.crm import (
    Company,
    CompanyCreated,
    CompanyUpdated,
    NoteCreated,
    TaskCreated,
    TaskDeleted,
    TaskDeleteFailed,
    TaskDeleteRequested,
    TaskFailed,
    TaskRequested,
)
from flotilla.http import Routes, Tx, Who
from flotilla.problems import NotFoundError
from flotilla.sagas import End, SagaKind, Step, Undo, wishes
from flotilla.service import Service
from flotilla.settings import Settings
from flotilla.store.postgres import Transaction

EFFECTS: Final = ("weighed", "noted", "posted", "rung", "handed over", "called off")
COPIES: Final = ("copied",)

LEASE: Final = timedelta(seconds=8)
ANSWER_WITHIN: Final = timedelta(hours=2)
"""Longer than any run: servers that are broken one after the other may keep an answer for minutes, and a saga that is
undone for that has kept its promise, but not the one that is looked at here."""
DEADLINE: Final = timedelta(seconds=3)
"""Of the wish that nobody answers: it passes while processes die and servers are away."""
IN_VAIN: Final = "never"
"""Such a wish's title."""
AUDIENCE: Final = "org"

CREATE = "INSERT INTO parcels VALUES ($1, $2, 1) ON CONFLICT DO NOTHING RETURNING sequence"
TOUCH = """
UPDATE parcels SET sequence = sequence + 1 WHERE organization_id = $1 AND id = $2 RETURNING sequence"""
COPY = """
INSERT INTO copies SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = excluded.sequence
WHERE copies.sequence < excluded.sequence"""
RECORD = "INSERT INTO effects SELECT org, $1, parcel FROM unnest($2::uuid[], $3::uuid[]) AS t (org, parcel)"


class ChaosSettings(Settings):
    """Where the vendor is."""

    vendor_port: int = 0


class Parcel(msgspec.Struct, frozen=True):
    """What jobs, timers and sagas are told."""

    id: UUID


Wish = Callable[[Parcel, UUID], TaskRequested]

routes = Routes("/v1/parcels", tag="chaos")


# Asked for again it tells nothing, not even the audit log: nobody listens for that here.
@routes.post("/{parcel_id}", permission="companies:write", status_code=201, audited="nothing")
async def send(parcel_id: UUID, tx: Tx, who: Who) -> dict[str, int]:
    """One parcel; asked for again, it is the same one."""
    if await tx.fetchval(CREATE, who.org, parcel_id) is not None:
        tx.emit(_company(CompanyCreated, parcel_id), org=who.org, sequence=1, audience=AUDIENCE)
    return {"sequence": 1}


@routes.put("/{parcel_id}", permission="companies:write")
async def touch(parcel_id: UUID, tx: Tx, who: Who) -> dict[str, int]:
    """Change it: its sequence from now on."""
    sequence = await tx.fetchval(TOUCH, who.org, parcel_id)
    if sequence is None:
        raise NotFoundError(f"no parcel {parcel_id}")
    tx.emit(_company(CompanyUpdated, parcel_id), org=who.org, sequence=sequence, audience=AUDIENCE)
    return {"sequence": sequence}


@projection(CompanyCreated, CompanyUpdated, lane="copies")
async def copy(tx: Transaction, batch: Sequence[Received[Company]]) -> None:
    """The newest state of each parcel."""
    await tx.execute(
        COPY,
        [event.org for event in batch],
        [event.data.company_id for event in batch],
        [event.sequence for event in batch],
    )


async def look_up(app: App, batch: Sequence[Received[CompanyCreated]]) -> dict[UUID, int]:
    """Something that takes a moment outside the transaction."""
    await asyncio.sleep(0.002)  # sleep: the moment that it takes
    return {event.id: len(event.data.name or "") for event in batch}


@reaction(CompanyCreated, lane="work", prepare=look_up)
async def weigh(tx: Transaction, batch: Sequence[Received[CompanyCreated]], weights: dict[UUID, int]) -> None:
    """Its first effect, and the beginning of all others."""
    assert all(event.id in weights for event in batch)
    await _record(tx, "weighed", [(event.org, event.data.company_id) for event in batch])
    now = datetime.now(UTC)
    for event in batch:
        parcel = Parcel(event.data.company_id)
        tx.emit(_note(parcel.id, now), org=event.org, sequence=1, cause=event, audience=AUDIENCE)
        tx.enqueue("post", str(parcel.id), parcel, org=event.org, cause=event)
        due = now + timedelta(seconds=1)
        tx.set_timer("bell", str(parcel.id), due, parcel, org=event.org, cause=event.cause)
        await handing_over.start(tx, event.org, parcel.id, parcel, event.cause)
        await calling_off.start(tx, event.org, parcel.id, parcel, event.cause)


@reaction(NoteCreated, lane="notes")
async def note(tx: Transaction, batch: Sequence[Received[NoteCreated]]) -> None:
    """An effect of an effect."""
    await _record(tx, "noted", [(event.org, event.data.note_id) for event in batch])


async def post(app: App, job: Job) -> None:
    """Ask the vendor, under the job's key; the process says who it is, so that it can be killed meanwhile."""
    settings = app.settings
    assert isinstance(settings, ChaosSettings)
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.vendor_port)
    try:
        writer.write(f"{job.key} {os.getpid()}\n".encode())
        if await reader.readline() != b"ok\n":
            raise ConnectionError("the vendor hung up")
    finally:
        writer.close()


async def posted(tx: Transaction, job: Job, result: Any) -> None:
    """The vendor has it."""
    await _record(tx, "posted", [(job.org, job.payload.id)])


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Attempts enough are allowed that this never happens here; if it does, `posted` is missing."""


async def ring(tx: Transaction, job: Job) -> None:
    """A timer's effect."""
    await _record(tx, "rung", [(job.org, job.payload.id)])


@reaction(TaskRequested, lane="wishes")
async def grant(tx: Transaction, batch: Sequence[Received[TaskRequested]]) -> None:
    """Every wish is granted, once, but for those that were taken back, and those that are left without an answer."""
    granted, cancelled = await wishes.take(tx, [event for event in batch if event.data.title != IN_VAIN])
    for event in granted:
        tx.emit(_task(event.data), org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)
    for event in cancelled:
        failed = TaskFailed(request_id=event.data.request_id, reason="cancelled")
        tx.emit(failed, org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)


@reaction(TaskDeleteRequested, lane="wishes")
async def take_back(tx: Transaction, batch: Sequence[Received[TaskDeleteRequested]]) -> None:
    """What is taken back was never granted here, and never will be."""
    await wishes.cancel(tx, batch)
    for event in batch:
        wish = event.data
        deleted = TaskDeleted(task_id=wish.cancels, request_id=wish.request_id, reason=wish.reason)
        tx.emit(deleted, org=event.org, sequence=2, cause=_answer(event), audience=AUDIENCE)


async def handed_over(tx: Transaction, end: End[Parcel]) -> None:
    """The saga's effect."""
    await _record(tx, "handed over", [(end.org, end.context.id)])


async def not_handed_over(tx: Transaction, end: End[Parcel]) -> None:
    """Nothing: `handed over` is missing."""


async def not_called_off(tx: Transaction, end: End[Parcel]) -> None:
    """Nothing: `called off` is missing."""


async def called_off(tx: Transaction, end: End[Parcel]) -> None:
    """The effect of a deadline, after what was asked for has been taken back."""
    await _record(tx, "called off", [(end.org, end.context.id)])


def _wish(parcel: Parcel, request_id: UUID, title: str = "hand over") -> TaskRequested:
    return TaskRequested(
        request_id=request_id,
        title=title,
        assignee_id=None,
        due_at=None,
        contact_id=None,
        company_id=parcel.id,
        conversation_id=None,
    )


def _undo(parcel: Parcel, request_id: UUID, cancels: UUID, why: str) -> TaskDeleteRequested:
    return TaskDeleteRequested(request_id=request_id, cancels=cancels, reason=why)


def _in_vain(parcel: Parcel, request_id: UUID) -> TaskRequested:
    return _wish(parcel, request_id, IN_VAIN)


def _step(name: str, wish: Wish = _wish, within: timedelta = ANSWER_WITHIN) -> Step[Parcel]:
    undo = Undo(_undo, granted=TaskDeleted, refused=TaskDeleteFailed, within=ANSWER_WITHIN)
    return Step(name, wish, TaskCreated, TaskFailed, undo, within)


handing_over = SagaKind(
    "handing_over",
    context=Parcel,
    steps=(_step("carry"), _step("sign")),
    done=handed_over,
    undone=not_handed_over,
)
calling_off = SagaKind(
    "calling_off",
    context=Parcel,
    steps=(_step("wait", _in_vain, DEADLINE),),
    done=not_called_off,
    undone=called_off,
)


async def _record(tx: Transaction, name: str, parcels: Sequence[tuple[UUID, UUID]]) -> None:
    await tx.execute(RECORD, name, [org for org, _ in parcels], [parcel for _, parcel in parcels])


def _company(kind: type[Company], parcel_id: UUID) -> Company:
    return kind(company_id=parcel_id, name="parcel", domain=None, owner_id=None, tags=[])


def _note(parcel_id: UUID, now: datetime) -> NoteCreated:
    return NoteCreated(
        note_id=parcel_id, author_id=parcel_id, text=None, contact_id=None, company_id=None, created_at=now
    )


def _task(wish: TaskRequested) -> TaskCreated:
    return TaskCreated(
        task_id=wish.request_id,
        title=wish.title,
        state="open",
        assignee_id=None,
        due_at=None,
        contact_id=None,
        company_id=wish.company_id,
        conversation_id=None,
        completed_at=None,
    )


def _answer(event: Received[Any]) -> Any:
    return replace(event.cause, request_id=event.data.request_id)


service = Service(
    name="crm",
    settings=ChaosSettings,
    migrations_folder=Path(__file__).parent / "migrations",
    routes=(routes,),
    lanes=(
        Lane("copies", wait=timedelta(milliseconds=50)),
        Lane("work", wait=timedelta(milliseconds=20), batch=20),
        Lane("notes", wait=timedelta(milliseconds=20)),
        Lane("wishes", wait=timedelta(milliseconds=20)),
        Lane("sagas", wait=timedelta(milliseconds=20)),
    ),
    handlers=(copy, weigh, note, grant, take_back, handing_over.facts, calling_off.facts),
    jobs=(JobKind("post", Parcel, post, posted, give_up, LEASE, attempts=50, concurrency=8),),
    timers=(TimerKind("bell", Parcel, ring), handing_over.timer, calling_off.timer),
    sagas=(handing_over, calling_off),
    emits=(
        CompanyCreated,
        CompanyUpdated,
        NoteCreated,
        TaskCreated,
        TaskDeleted,
        TaskFailed,
        TaskRequested,
        TaskDeleteRequested,
    ),
)
