"""Reminders of bookings: timers, which do nothing for one that was moved or cancelled meanwhile."""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events.messaging import MessageRequested
from flotilla.events.websocket import NotificationRequested
from flotilla.store.postgres import Transaction

from flotilla_crm.domain.bookings import REMINDERS, Booking, BookingState, reminder_text, when_text
from flotilla_crm.store import bookings

BOOKING_REMINDER: Final = "booking_reminder"
KIND: Final = "booking.reminder"


class ReminderPayload(msgspec.Struct, frozen=True):
    """Of which booking, as it stood when the timer was set."""

    booking_id: UUID
    hold_id: UUID


def set_timers(tx: Transaction, org: UUID, booking: Booking, now: datetime, cause: Cause) -> None:
    """Remind of it before it begins; those set for an earlier time are moved, or go."""
    payload = ReminderPayload(booking.id, booking.hold_id)
    cancel_timers(tx, booking)
    for before in REMINDERS:
        due_at = booking.starts_at - before
        if due_at > now:
            tx.set_timer(BOOKING_REMINDER, _key(booking, before), due_at, payload, org=org, cause=cause)


def cancel_timers(tx: Transaction, booking: Booking) -> None:
    """Nobody need be reminded."""
    for before in REMINDERS:
        tx.cancel_timer(BOOKING_REMINDER, _key(booking, before))


def _key(booking: Booking, before: object) -> str:
    return f"{booking.id}:{before}"


async def _remind(tx: Transaction, job: Job) -> None:
    payload: ReminderPayload = job.payload
    booking = await bookings.read(tx, job.org, payload.booking_id)
    if booking is None or booking.state is not BookingState.CONFIRMED or booking.hold_id != payload.hold_id:
        return
    if booking.starts_at <= await bookings.now(tx):
        return
    text = reminder_text(booking.title, when_text(booking.starts_at, booking.ends_at, booking.time_zone))
    _notify_host(tx, job, booking, text)
    contact_id = booking.contact_id
    if contact_id is not None:
        found = await bookings.contacts(tx, [(job.org, contact_id)])
        if found and found[job.org, contact_id]["reachable"]:
            request_id = tx.app.new_id()
            wish = MessageRequested(
                request_id=request_id, conversation_id=None, contact_id=contact_id, text=text
            )
            cause = replace(job.cause, request_id=request_id)
            tx.emit(wish, org=job.org, sequence=1, cause=cause, audience="org")


def _notify_host(tx: Transaction, job: Job, booking: Booking, text: str) -> None:
    notification_id = tx.app.new_id()
    wish = NotificationRequested(
        notification_id=notification_id,
        user_id=booking.host_id,
        kind=KIND,
        title=booking.title,
        text=text,
        link=f"/bookings/{booking.id}",
        params={"title": booking.title, "starts_at": booking.starts_at.isoformat()},
    )
    cause = replace(job.cause, request_id=notification_id)
    tx.emit(wish, org=job.org, sequence=1, cause=cause, audience=f"user:{booking.host_id}")


booking_reminder = TimerKind(BOOKING_REMINDER, ReminderPayload, _remind)
