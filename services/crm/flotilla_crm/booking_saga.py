"""booking: the slot is held, it stands in the host's calendar, the contact is told; or the slot is free again.

The hold is made where the saga begins, in that transaction. A saga is about one hold: moving a booking begins another
saga for the new time, and the old time is given back only when that is sure.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events.integrations import (
    AttendeeProfile,
    CalendarEventCreated,
    CalendarEventDeleted,
    CalendarEventDeleteFailed,
    CalendarEventDeleteRequested,
    CalendarEventFailed,
    CalendarEventRequested,
)
from flotilla.events.messaging import MessageFailed, MessageRefused, MessageRequested, MessageSent
from flotilla.sagas import End, SagaKind, Step, Undo
from flotilla.store.postgres import Transaction

from flotilla_crm import reminders
from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.bookings import Booking, BookingState, confirmation_text, when_text
from flotilla_crm.domain.timeline import Entry, Kind
from flotilla_crm.store import bookings, hosts, timeline

BOOKING_MOVED: Final = "booking_moved"
TELL_WITHIN: Final = timedelta(minutes=2)
MOVED: Final = "moved to another time"


class BookingHold(msgspec.Struct, frozen=True, kw_only=True):
    """What the saga knows of the booking and of the hold that it is about."""

    booking_id: UUID
    hold_id: UUID
    calendar_id: UUID | None
    """The host's connected calendar."""
    contact_id: UUID | None
    contact_name: str | None
    contact_email: str | None
    reachable: bool
    """Whether the contact is on a channel."""
    title: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    moved: bool
    """Whether the booking stood at another time before."""


class Moved(msgspec.Struct, frozen=True):
    """A booking that has been moved, and the saga that did it."""

    booking_id: UUID
    saga_id: UUID


def _calendar_event(hold: BookingHold, request_id: UUID) -> CalendarEventRequested:
    assert hold.calendar_id is not None
    invited = AttendeeProfile(name=hold.contact_name, email=hold.contact_email)
    return CalendarEventRequested(
        request_id=request_id,
        booking_id=hold.booking_id,
        account_id=hold.calendar_id,
        contact_id=hold.contact_id,
        title=hold.title,
        starts_at=hold.starts_at,
        ends_at=hold.ends_at,
        time_zone=hold.time_zone,
        attendees=[invited],
    )


def _delete(_: BookingHold, request_id: UUID, cancels: UUID, reason: str) -> CalendarEventDeleteRequested:
    return CalendarEventDeleteRequested(request_id=request_id, cancels=cancels, reason=reason)


def _confirmation(hold: BookingHold, request_id: UUID) -> MessageRequested:
    when = when_text(hold.starts_at, hold.ends_at, hold.time_zone)
    return MessageRequested(
        request_id=request_id,
        conversation_id=None,
        contact_id=hold.contact_id,
        text=confirmation_text(hold.title, when, moved=hold.moved),
    )


async def _done(tx: Transaction, end: End[BookingHold]) -> None:
    booking = await bookings.read(tx, end.org, end.context.booking_id, lock=True)
    if booking is None:
        return
    if booking.state is BookingState.HELD and booking.hold_id == end.context.hold_id:
        await _confirm(tx, end, booking)
    elif booking.state is BookingState.CONFIRMED and booking.moving_to == end.context.hold_id:
        await _move(tx, end, booking)


async def _confirm(tx: Transaction, end: End[BookingHold], booking: Booking) -> None:
    saved = await bookings.save(tx, end.org, replace(booking, state=BookingState.CONFIRMED))
    cause = replace(end.cause, request_id=saved.request_id)
    event = tx.emit(saved.confirmed(), org=end.org, sequence=saved.sequence, cause=cause, audience=AUDIENCE)
    now = await bookings.now(tx)
    reminders.set_timers(tx, end.org, saved, now, end.cause)
    await timeline.append(tx, [entry(end.org, event, Kind.BOOKING_CONFIRMED, saved, now, cause)])


async def _move(tx: Transaction, end: End[BookingHold], booking: Booking) -> None:
    """To the time of its second hold; what the old time had is undone afterwards, in a transaction of its own."""
    hold = await hosts.read_hold(tx, end.org, end.context.hold_id)
    moved = replace(
        booking,
        hold_id=end.context.hold_id,
        moving_to=None,
        host_id=hold["host_id"],
        starts_at=hold["starts_at"],
        ends_at=hold["ends_at"],
        time_zone=end.context.time_zone,
    )
    fields = ("host_id", "starts_at", "ends_at")
    changed: dict[str, list[Any]] = {
        field: [getattr(booking, field), getattr(moved, field)]
        for field in fields
        if getattr(booking, field) != getattr(moved, field)
    }
    await hosts.release(tx, end.org, [booking.hold_id])
    saved = await bookings.save(tx, end.org, moved)
    tx.emit(
        saved.rescheduled(changed), org=end.org, sequence=saved.sequence, cause=end.cause, audience=AUDIENCE
    )
    now = await bookings.now(tx)
    reminders.set_timers(tx, end.org, saved, now, end.cause)
    # Its own saga is held here; to hold the older ones as well could be in another order than elsewhere.
    after = Moved(booking.id, end.saga.id)
    tx.set_timer(BOOKING_MOVED, str(end.saga.id), now, after, org=end.org, cause=end.cause)


async def _undone(tx: Transaction, end: End[BookingHold]) -> None:
    booking = await bookings.read(tx, end.org, end.context.booking_id, lock=True)
    if booking is None:
        return
    reason = end.saga.reason or ""
    if booking.state is BookingState.HELD and booking.hold_id == end.context.hold_id:
        await hosts.release(tx, end.org, [booking.hold_id])
        saved = await bookings.save(tx, end.org, replace(booking, state=BookingState.FAILED, reason=reason))
        cause = replace(end.cause, request_id=saved.request_id)
        tx.emit(saved.failed(reason), org=end.org, sequence=saved.sequence, cause=cause, audience=AUDIENCE)
    elif booking.moving_to == end.context.hold_id:
        await hosts.release(tx, end.org, [end.context.hold_id])
        saved = await bookings.save(tx, end.org, replace(booking, moving_to=None))
        tx.emit(
            saved.stayed(reason), org=end.org, sequence=saved.sequence, cause=end.cause, audience=AUDIENCE
        )


def entry(org: UUID, event: UUID, kind: Kind, booking: Booking, at: datetime, cause: Cause) -> Entry:
    """What the contact's timeline says of a booking."""
    return Entry(
        id=event,
        org=org,
        kind=kind,
        at=at,
        reference_id=booking.id,
        contact_id=booking.contact_id,
        actor=cause.actor,
    )


booking_saga: Final = SagaKind(
    "booking",
    context=BookingHold,
    steps=(
        Step(
            "calendar",
            wish=_calendar_event,
            granted=CalendarEventCreated,
            refused=CalendarEventFailed,
            undo=Undo(wish=_delete, granted=CalendarEventDeleted, refused=CalendarEventDeleteFailed),
            when=lambda hold: hold.calendar_id is not None,
        ),
        # Nobody loses an appointment because a channel was down: it stands, and the saga says they were not told.
        Step(
            "confirmation",
            wish=_confirmation,
            granted=MessageSent,
            refused=(MessageFailed, MessageRefused),
            within=TELL_WITHIN,
            when=lambda hold: hold.reachable,
            optional=True,
        ),
    ),
    done=_done,
    undone=_undone,
    # Where message.sent comes to crm anyway.
    lane="timeline",
)


async def _forget_old_time(tx: Transaction, job: Job) -> None:
    """What stood in a calendar for the time before is taken back."""
    moved: Moved = job.payload
    await bookings.take_turn(tx, moved.booking_id)
    for held in await booking_saga.hold(tx, job.org, moved.booking_id):
        if held.saga.id < moved.saga_id:
            await booking_saga.withdraw(tx, held, MOVED, job.cause)


booking_moved = TimerKind(BOOKING_MOVED, Moved, _forget_old_time)
