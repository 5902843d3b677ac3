"""What crm does for others: tasks that they ask for, and take back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.crm import (
    TaskDeleted,
    TaskDeleteFailed,
    TaskDeleteRequested,
    TaskFailed,
    TaskRequested,
)
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_crm.commands import AUDIENCE, time_task
from flotilla_crm.domain.tasks import Task
from flotilla_crm.domain.timeline import Entry, Kind
from flotilla_crm.store import timeline, wanted

ABOUT: Final = ("contact_id", "company_id", "conversation_id")


@reaction(TaskRequested, lane="wishes")
async def grant_tasks(tx: Transaction, batch: Sequence[Received[TaskRequested]]) -> None:
    """Make the tasks that others ask for, or say why not."""
    granted, cancelled = await wishes.take(tx, batch)
    for event in cancelled:
        _refuse(tx, event, "cancelled")
    if not granted:
        return
    made = await wanted.grant(tx, granted)
    entries: list[Entry] = []
    for event in granted:
        task = made[event.data.request_id]
        if isinstance(task, Task):
            id_ = tx.emit(task.created(), org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)
            time_task(tx, event.org, task, event.cause)
            about = {field: getattr(task, field) for field in ABOUT}
            entries.append(_entry(event, id_, Kind.TASK_CREATED, task.id, task.created_at, about))
        else:
            _refuse(tx, event, task)
    await timeline.append(tx, entries)


@reaction(TaskDeleteRequested, lane="wishes")
async def take_back_tasks(tx: Transaction, batch: Sequence[Received[TaskDeleteRequested]]) -> None:
    """Remove tasks that others made and that are still to be done; those to come are refused when they do."""
    await wishes.cancel(tx, batch)
    found = await wanted.delete(tx, batch)
    entries: list[Entry] = []
    for event in batch:
        wish, row = event.data, found[event.data.cancels]
        if row["completed"]:
            failed = TaskDeleteFailed(request_id=wish.request_id, cancels=wish.cancels, reason="completed")
            tx.emit(failed, org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)
            continue
        deleted = TaskDeleted(task_id=wish.cancels, request_id=wish.request_id, reason=wish.reason)
        id_ = tx.emit(
            deleted, org=event.org, sequence=row["sequence"], cause=_answer(event), audience=AUDIENCE
        )
        if row["deleted"]:
            entries.append(_entry(event, id_, Kind.TASK_DELETED, row["task"], row["now"], row))
    await timeline.append(tx, entries)


def _refuse(tx: Transaction, event: Received[TaskRequested], reason: str) -> None:
    failed = TaskFailed(request_id=event.data.request_id, reason=reason)
    tx.emit(failed, org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)


def _answer(event: Received[TaskRequested] | Received[TaskDeleteRequested]) -> Cause:
    """What an answer goes back to: its wish, by the request that the wish carries."""
    return replace(event.cause, request_id=event.data.request_id)


def _entry(
    event: Received[Any], id_: UUID, kind: Kind, task_id: UUID, at: datetime, about: Mapping[str, Any]
) -> Entry:
    return Entry(
        id=id_,
        org=event.org,
        kind=kind,
        at=at,
        reference_id=task_id,
        actor=event.envelope.actor,
        **{field: about[field] for field in ABOUT},
    )
