"""What people do: each command changes one thing, tells of it, and leaves its trace in the timeline."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.security.principal import Principal
from flotilla.store.postgres import Transaction

from flotilla_crm.domain.contacts import Company, Contact
from flotilla_crm.domain.revision import merge_fields, revise
from flotilla_crm.domain.tasks import Note, Task
from flotilla_crm.domain.timeline import Entry, Kind
from flotilla_crm.store import contacts, tasks, timeline

AUDIENCE: Final = "org"
TASK_DUE: Final = "task_due"


class DuePayload(msgspec.Struct, frozen=True):
    """What a task's timer remembers."""

    task_id: UUID


async def create_contact(tx: Transaction, who: Principal, values: Mapping[str, Any]) -> Contact:
    """Make a contact."""
    now = datetime.now(UTC)
    draft = Contact(id=tx.app.new_id(), source="manual", created_at=now, updated_at=now, **values)
    contact = await contacts.add_contact(tx, who.org, draft)
    event = tx.emit(contact.created(), org=who.org, sequence=contact.sequence, audience=AUDIENCE)
    await timeline.append(
        tx,
        [
            Entry(
                id=event,
                org=who.org,
                kind=Kind.CONTACT_CREATED,
                at=contact.created_at,
                reference_id=contact.id,
                contact_id=contact.id,
                actor=who.actor,
            )
        ],
    )
    return contact


async def change_contact(
    tx: Transaction, who: Principal, contact: Contact, wanted: Mapping[str, Any]
) -> Contact:
    """Change a contact that the transaction holds; where nothing differs, nothing happens."""
    revised, changed = revise(contact, _with_merged_fields(contact, wanted))
    if not changed:
        return contact
    saved = await contacts.save_contact(tx, who.org, revised)
    tx.emit(saved.updated(changed), org=who.org, sequence=saved.sequence, audience=AUDIENCE)
    return saved


async def create_company(tx: Transaction, who: Principal, values: Mapping[str, Any]) -> Company:
    """Make a company."""
    now = datetime.now(UTC)
    draft = Company(id=tx.app.new_id(), created_at=now, updated_at=now, **values)
    company = await contacts.add_company(tx, who.org, draft)
    tx.emit(company.created(), org=who.org, sequence=company.sequence, audience=AUDIENCE)
    return company


async def change_company(
    tx: Transaction, who: Principal, company: Company, wanted: Mapping[str, Any]
) -> Company:
    """Change a company that the transaction holds; where nothing differs, nothing happens."""
    revised, changed = revise(company, _with_merged_fields(company, wanted))
    if not changed:
        return company
    saved = await contacts.save_company(tx, who.org, revised)
    tx.emit(saved.updated(changed), org=who.org, sequence=saved.sequence, audience=AUDIENCE)
    return saved


async def create_task(tx: Transaction, who: Principal, values: Mapping[str, Any]) -> Task:
    """Make a task; its timer says when it is due."""
    draft = Task(id=tx.app.new_id(), created_by=who.user_id, created_at=datetime.now(UTC), **values)
    task = await tasks.add_task(tx, who.org, draft)
    event = tx.emit(task.created(), org=who.org, sequence=task.sequence, audience=AUDIENCE)
    await timeline.append(tx, [_of_task(event, who, task, Kind.TASK_CREATED, task.created_at)])
    time_task(tx, who.org, task)
    return task


async def change_task(tx: Transaction, who: Principal, task: Task, wanted: Mapping[str, Any]) -> Task:
    """Change an open task that the transaction holds; where nothing differs, nothing happens."""
    revised, changed = revise(task, wanted)
    if not changed:
        return task
    saved = await tasks.save_task(tx, who.org, revised)
    tx.emit(saved.updated(changed), org=who.org, sequence=saved.sequence, audience=AUDIENCE)
    if "due_at" in changed:
        time_task(tx, who.org, saved)
    return saved


async def complete_task(tx: Transaction, who: Principal, task_id: UUID) -> Task | None:
    """Say that a task is done: the task, None where there is none."""
    task = await tasks.complete_task(tx, who.org, task_id)
    if task is None:
        return await tasks.read_task(tx, who.org, task_id)
    assert task.completed_at is not None
    event = tx.emit(task.completed(), org=who.org, sequence=task.sequence, audience=AUDIENCE)
    await timeline.append(tx, [_of_task(event, who, task, Kind.TASK_COMPLETED, task.completed_at)])
    tx.cancel_timer(TASK_DUE, str(task.id))
    return task


async def create_note(tx: Transaction, who: Principal, values: Mapping[str, Any]) -> Note:
    """Write a note."""
    draft = Note(id=tx.app.new_id(), author_id=who.user_id, created_at=datetime.now(UTC), **values)
    note = await tasks.add_note(tx, who.org, draft)
    event = tx.emit(note.created(), org=who.org, sequence=note.sequence, audience=AUDIENCE)
    entry = Entry(
        id=event,
        org=who.org,
        kind=Kind.NOTE_CREATED,
        at=note.created_at,
        reference_id=note.id,
        contact_id=note.contact_id,
        company_id=note.company_id,
        actor=who.actor,
    )
    await timeline.append(tx, [entry])
    return note


async def _tell_due(tx: Transaction, job: Job) -> None:
    """The time has come: tell, unless it was done or put off meanwhile."""
    task = await tasks.task_came_due(tx, job.org, job.payload.task_id)
    if task is not None:
        tx.emit(task.due(), org=job.org, sequence=task.sequence, cause=job.cause, audience=AUDIENCE)


task_due = TimerKind(TASK_DUE, DuePayload, _tell_due)


def time_task(tx: Transaction, org: UUID, task: Task, cause: Cause | None = None) -> None:
    """Have its timer say when it is due."""
    if task.due_at is None:
        tx.cancel_timer(TASK_DUE, str(task.id))
    else:
        tx.set_timer(TASK_DUE, str(task.id), task.due_at, DuePayload(task.id), org=org, cause=cause)


def _of_task(event: UUID, who: Principal, task: Task, kind: Kind, at: datetime) -> Entry:
    return Entry(
        id=event,
        org=who.org,
        kind=kind,
        at=at,
        reference_id=task.id,
        contact_id=task.contact_id,
        company_id=task.company_id,
        conversation_id=task.conversation_id,
        actor=who.actor,
    )


def _with_merged_fields(entity: Contact | Company, wanted: Mapping[str, Any]) -> dict[str, Any]:
    if "custom_fields" not in wanted:
        return dict(wanted)
    return {**wanted, "custom_fields": merge_fields(entity.custom_fields, wanted["custom_fields"])}
