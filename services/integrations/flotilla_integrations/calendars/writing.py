"""Writing calendar events and deleting them: outside work, safe to repeat."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.integrations import (
    CalendarEventCreated,
    CalendarEventDeleted,
    CalendarEventDeleteFailed,
    CalendarEventDeleteRequested,
    CalendarEventFailed,
    CalendarEventRequested,
    IntegrationFailed,
)
from flotilla.store.postgres import Row, Transaction

from flotilla_integrations.adapters.base import AccountRefusedError, Adapter, AdapterError, RefusedError
from flotilla_integrations.adapters.calendar import (
    DELETE_EVENT,
    PUT_EVENT,
    DeleteEvent,
    PutEvent,
    StandingEvent,
)
from flotilla_integrations.events import say_account
from flotilla_integrations.own import own
from flotilla_integrations.store import accounts
from flotilla_integrations.store import calendars as store

WRITE: Final = "calendar_write"
DELETE: Final = "calendar_delete"
PREFIX: Final = "flotilla-"
LEASE: Final = timedelta(seconds=90)
CANCELLED: Final = "cancelled"
NOT_CONNECTED: Final = "not_connected"
NO_ANSWER: Final = "The calendar's server did not answer."


class Standing(msgspec.Struct, frozen=True):
    """The event that a job is about, and the undo that it answers; none where it only makes sure."""

    event_id: UUID
    request_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why it cannot be done."""

    reason: str
    account_refused: bool = False


class Unneeded:
    """It was taken back before anything was done."""


def uid(event_id: UUID) -> str:
    """What calendars call an event of ours."""
    return f"{PREFIX}{event_id}"


def event_of(uid_: str | None) -> UUID | None:
    """Which event of ours a calendar calls so; None where it is another's."""
    if uid_ is None or not uid_.startswith(PREFIX):
        return None
    try:
        return UUID(uid_.removeprefix(PREFIX))
    except ValueError:
        return None


def ask_to_write(tx: Transaction, event: Received[CalendarEventRequested]) -> None:
    """Have it put into its calendar."""
    event_id = event.data.request_id
    cause = replace(event.cause, request_id=event_id)
    tx.enqueue(WRITE, str(event_id), Standing(event_id), org=event.org, cause=cause)


def ask_to_delete(tx: Transaction, org: UUID, event_id: UUID, request_id: UUID, cause: Cause) -> None:
    """Have it taken out of its calendar."""
    key = f"{event_id}:{request_id}"
    tx.enqueue(DELETE, key, Standing(event_id, request_id), org=org, cause=cause)


def tell_deleted(
    tx: Transaction, org: UUID, undo: CalendarEventDeleteRequested, sequence: int, cause: Cause
) -> None:
    """Answer an undo: it is gone."""
    gone = CalendarEventDeleted(event_id=undo.cancels, request_id=undo.request_id, reason=undo.reason)
    tx.emit(gone, org=org, sequence=max(sequence, 1), cause=cause)


async def _found(app: App, job: Job) -> tuple[Row, Adapter[Any] | None]:
    async with app.db.transaction(job.org) as tx:
        row = await tx.fetchrow(store.READ, job.org, job.payload.event_id)
    assert row is not None
    known = await own(app).directory.find(row["account_id"])
    return row, known.adapter if known is not None and known.is_open else None


async def write(app: App, job: Job) -> StandingEvent | Refused | Unneeded:
    """Put it there; an attempt before this one may have done it."""
    row, adapter = await _found(app, job)
    if row["state"] != "writing":
        return Unneeded()
    if adapter is None:
        return Refused(NOT_CONNECTED)
    wanted = PutEvent(
        uid=uid(row["id"]),
        title=row["title"],
        description=row["description"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
    )
    try:
        standing: StandingEvent = await adapter.execute(PUT_EVENT, wanted)
    except RefusedError as error:
        return Refused(str(error), isinstance(error, AccountRefusedError))
    return standing


async def written(tx: Transaction, job: Job, result: StandingEvent | Refused | Unneeded) -> None:
    """Say so; or go on and delete what was taken back meanwhile."""
    row = await tx.fetchrow(store.LOCK, job.org, job.payload.event_id)
    assert row is not None
    if isinstance(result, Refused):
        await _not_standing(tx, row, result, job.cause)
    elif row["state"] == "deleting":
        await _go_on_deleting(tx, row, job.cause, getattr(result, "external_id", None))
    elif isinstance(result, StandingEvent):
        saved = await _save(tx, row, "standing", external_id=result.external_id)
        tell_created(tx, saved, job.cause)


async def not_written(tx: Transaction, job: Job, error: Exception) -> None:
    """Nobody knows whether it stands there: it is taken away, to be sure."""
    row = await tx.fetchrow(store.LOCK, job.org, job.payload.event_id)
    assert row is not None
    if row["state"] == "deleting":
        await _go_on_deleting(tx, row, job.cause, None)
        return
    await _not_standing(tx, row, Refused(_words(error)), job.cause)
    tx.enqueue(DELETE, str(row["id"]), Standing(row["id"]), org=job.org)


async def _go_on_deleting(tx: Transaction, row: Row, cause: Cause, external_id: str | None) -> None:
    """An attempt may have put it there, and it is not wanted any more."""
    org, event_id = row["organization_id"], row["id"]
    await tx.execute(store.STANDS, org, event_id, "deleting", False, external_id)
    ask_to_delete(tx, org, event_id, row["delete_request_id"], cause)


async def _not_standing(tx: Transaction, row: Row, refused: Refused, cause: Cause) -> None:
    undo = row["delete_request_id"]
    saved = await _save(tx, row, "failed")
    _tell_failed(tx, saved, refused.reason if undo is None else CANCELLED, cause)
    if undo is not None:
        _tell_undone(tx, saved, undo, row["delete_reason"], cause)
    if refused.account_refused:
        await _account_refused(tx, row, refused.reason)


async def delete(app: App, job: Job) -> Refused | None:
    """Take it away."""
    row, adapter = await _found(app, job)
    if adapter is None:
        return Refused(NOT_CONNECTED)
    try:
        await adapter.execute(DELETE_EVENT, DeleteEvent(uid=uid(row["id"]), external_id=row["external_id"]))
    except RefusedError as error:
        return Refused(str(error), isinstance(error, AccountRefusedError))
    return None


async def deleted(tx: Transaction, job: Job, result: Refused | None) -> None:
    """Say what became of it; the wish is answered first where it was not."""
    row = await tx.fetchrow(store.LOCK, job.org, job.payload.event_id)
    assert row is not None
    if job.payload.request_id is None:
        return
    undos = {job.payload.request_id, row["delete_request_id"] or job.payload.request_id}
    saved = await _save(tx, row, "deleted" if result is None else "standing")
    asking = replace(job.cause, request_id=row["id"])
    if result is None:
        if not row["told"]:
            _tell_failed(tx, saved, CANCELLED, asking)
        for undo in undos:
            _tell_undone(tx, saved, undo, row["delete_reason"], job.cause)
        return
    if not row["told"] and row["external_id"]:
        tell_created(tx, saved, asking)
    for undo in undos:
        failed = CalendarEventDeleteFailed(request_id=undo, cancels=row["id"], reason=result.reason)
        tx.emit(failed, org=job.org, sequence=1, cause=replace(job.cause, request_id=undo))
    if result.account_refused:
        await _account_refused(tx, row, result.reason)


async def not_deleted(tx: Transaction, job: Job, error: Exception) -> None:
    """The calendar was not reached."""
    await deleted(tx, job, Refused(_words(error)))


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, AdapterError) else NO_ANSWER


async def _save(tx: Transaction, row: Row, state: str, external_id: str | None = None) -> Row:
    saved = await tx.fetchrow(store.STANDS, row["organization_id"], row["id"], state, True, external_id)
    assert saved is not None
    return saved


def tell_created(tx: Transaction, row: Row, cause: Cause) -> None:
    """Answer the wish: it stands there."""
    created = CalendarEventCreated(
        event_id=row["id"],
        booking_id=row["booking_id"],
        account_id=row["account_id"],
        external_id=row["external_id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
    )
    answer = replace(cause, request_id=row["id"])
    tx.emit(created, org=row["organization_id"], sequence=row["sequence"], cause=answer)


def _tell_failed(tx: Transaction, row: Row, reason: str, cause: Cause) -> None:
    failed = CalendarEventFailed(
        request_id=row["id"], booking_id=row["booking_id"], account_id=row["account_id"], reason=reason
    )
    tx.emit(failed, org=row["organization_id"], sequence=1, cause=replace(cause, request_id=row["id"]))


def _tell_undone(tx: Transaction, row: Row, undo: UUID, reason: str | None, cause: Cause) -> None:
    wish = CalendarEventDeleteRequested(request_id=undo, cancels=row["id"], reason=reason or "")
    tell_deleted(tx, row["organization_id"], wish, row["sequence"], replace(cause, request_id=undo))


async def _account_refused(tx: Transaction, row: Row, reason: str) -> None:
    refused = await accounts.one(tx, accounts.REFUSED, row["organization_id"], row["account_id"], reason)
    if refused is not None:
        await say_account(tx, refused, IntegrationFailed)


write_job: Final = JobKind(WRITE, Standing, write, written, not_written, lease=LEASE, attempts=6)
delete_job: Final = JobKind(DELETE, Standing, delete, deleted, not_deleted, lease=LEASE, attempts=6)
