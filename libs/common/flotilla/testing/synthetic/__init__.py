"""A synthetic service that does one of each thing the bus offers; tests read its tables for the effects.

It runs under the name `crm`, because roles and passwords exist for the thirteen names only.
"""

import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, Lane, NotYetKnown, TimerKind, projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.crm import (
    Company,
    CompanyCreated,
    CompanyUpdated,
    ContactCreated,
    NoteCreated,
    TaskCompleted,
    TaskCreated,
)
from flotilla.http import Page, Routes, Tx, Who
from flotilla.ids import new_id
from flotilla.service import Service
from flotilla.store.postgres import Transaction

RECORD = "INSERT INTO applied (organization_id, id) SELECT * FROM unnest($1::uuid[], $2::uuid[])"
KEEP = """
INSERT INTO companies (organization_id, id, name, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE SET name = excluded.name, sequence = excluded.sequence
WHERE companies.sequence < excluded.sequence"""


class Errand(msgspec.Struct):
    """What the job of a task is told."""

    task_id: UUID


POISON = "poison"
DEADLY = "deadly"
WAITS = "waits for its company"


async def length_of_title(app: App, batch: Sequence[Received[TaskCreated]]) -> dict[UUID, int]:
    """Something outside a transaction."""
    for event in batch:
        if event.data.title == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
    return {event.id: len(event.data.title or "") for event in batch}


@reaction(TaskCreated, lane="work", prepare=length_of_title)
async def record_task(
    tx: Transaction, batch: Sequence[Received[TaskCreated]], lengths: dict[UUID, int]
) -> None:
    """One row for each task, one event caused by it, one job."""
    assert all(event.id in lengths for event in batch)
    await tx.execute(RECORD, [event.org for event in batch], [event.data.task_id for event in batch])
    for event in batch:
        if event.data.title == POISON:
            raise ValueError("poison")
        if event.data.title == WAITS:
            assert event.data.company_id
            known = await tx.fetchval("SELECT 1 FROM companies WHERE id = $1", event.data.company_id)
            if not known:
                raise NotYetKnown("company", event.data.company_id)
        completed = msgspec.structs.asdict(event.data) | {"state": "completed"}
        tx.emit(TaskCompleted(**completed), org=event.org, sequence=2, cause=event, audience="org")


@reaction(ContactCreated, lane="plain")
async def record_contact(tx: Transaction, batch: Sequence[Received[ContactCreated]]) -> None:
    """One row for each contact: the smallest reaction there is, for benches."""
    await tx.execute(RECORD, [event.org for event in batch], [event.data.contact_id for event in batch])


@projection(CompanyCreated, CompanyUpdated, lane="work", tables=("companies",))
async def keep_company(tx: Transaction, batch: Sequence[Received[Company]]) -> None:
    """The newest state of each company."""
    await tx.execute(
        KEEP,
        [event.org for event in batch],
        [event.data.company_id for event in batch],
        [event.data.name for event in batch],
        [event.sequence for event in batch],
    )
    await tx.arrived("company", [event.data.company_id for event in batch])


@reaction(NoteCreated, lane="slow")
async def enqueue_errand(tx: Transaction, batch: Sequence[Received[NoteCreated]]) -> None:
    """A job for each note, and a timer."""
    for event in batch:
        tx.enqueue("errand", str(event.data.note_id), Errand(event.data.note_id), org=event.org, cause=event)


async def perform(app: App, job: Job) -> str:
    """The outside: here, a word of the test's own making."""
    doing = app.own or {}
    told = doing.get("errand")
    return str(await told(job)) if told else "done"


async def finish(tx: Transaction, job: Job, result: Any) -> None:
    """Its effect."""
    await tx.execute(RECORD, [job.org], [job.payload.task_id])


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Its end without one."""
    await tx.execute("INSERT INTO effects VALUES ($1, $2, $3)", job.org, job.payload.task_id, str(error))


async def ring(tx: Transaction, job: Job) -> None:
    """A timer's effect."""
    await tx.execute(RECORD, [job.org], [job.payload.task_id])


routes = Routes("/v1/companies", tag="synthetic")


@routes.post("", permission="companies:write", status_code=201)
async def create(body: dict[str, str], tx: Tx, who: Who) -> dict[str, str]:
    """A company, and its event, in one transaction."""
    company_id = new_id()
    name = body["name"]
    await tx.execute("INSERT INTO companies VALUES ($1, $2, $3, 1)", who.org, company_id, name)
    created = CompanyCreated(company_id=company_id, name=name, domain=None, owner_id=None, tags=[])
    tx.emit(created, org=who.org, sequence=1, audience="org")
    if name == "fails after emit":
        raise RuntimeError("nothing of this may remain")
    return {"id": str(company_id)}


@routes.get("", permission="companies:read")
async def names(tx: Tx) -> Page[str]:
    """All names the caller may see: there is no WHERE here on purpose."""
    rows = await tx.fetch("SELECT name FROM companies ORDER BY name")
    return Page(items=[row["name"] for row in rows])


service = Service(
    name="crm",
    migrations_folder=Path(__file__).parent / "migrations",
    routes=(routes,),
    lanes=(Lane("work", wait=timedelta(milliseconds=50)), Lane("plain"), Lane("slow")),
    handlers=(record_task, record_contact, keep_company, enqueue_errand),
    jobs=(JobKind("errand", Errand, perform, finish, give_up, lease=timedelta(seconds=8), attempts=3),),
    timers=(TimerKind("ring", Errand, ring),),
    emits=(CompanyCreated, TaskCompleted),
)
