"""What is done with bookings: made, moved, cancelled, by people and for other services alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from flotilla.cause import Cause
from flotilla.problems import ConflictError
from flotilla.store.postgres import Row, Transaction

from flotilla_crm import reminders
from flotilla_crm.booking_saga import BookingHold, booking_saga, entry
from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.bookings import DEFAULT_TITLE, Asked, Booking, BookingState, Held, Refusal
from flotilla_crm.domain.timeline import Kind
from flotilla_crm.holding import Refused, hold
from flotilla_crm.store import bookings, hosts, timeline


@dataclass(frozen=True, kw_only=True)
class Wanted(Asked):
    """A booking that shall be made."""

    contact_id: UUID
    title: str
    request_id: UUID | None = None
    """Of the wish that it answers."""
    cause: Cause


async def book(tx: Transaction, wanted: Sequence[Wanted]) -> dict[UUID, Booking | Refused]:
    """Hold a slot for each and begin its saga, or say why not: booking id → which. Those made are held, for now."""
    contacts = await bookings.contacts(tx, [(each.org, each.contact_id) for each in wanted])
    results: dict[UUID, Booking | Refused] = {
        each.booking_id: Refused(Refusal.UNKNOWN_CONTACT)
        for each in wanted
        if (each.org, each.contact_id) not in contacts
    }
    asked = {each.booking_id: each for each in wanted if each.booking_id not in results}
    held, refused = await hold(tx, list(asked.values()))
    results |= refused
    made = [(asked[each.asked.booking_id].org, _booking(asked[each.asked.booking_id], each)) for each in held]
    by_id = {each.asked.booking_id: each for each in held}
    calendars = await hosts.calendars(tx, [(each.asked.org, each.host.id) for each in held])
    for booking in await bookings.add(tx, made) if made else []:
        results[booking.id] = booking
        want = asked[booking.id]
        contact = contacts[want.org, want.contact_id]
        calendar = calendars.get((want.org, booking.host_id))
        context = _context(booking, by_id[booking.id], contact, calendar)
        await booking_saga.start(tx, want.org, booking.id, context, want.cause)
    return results


async def reschedule(
    tx: Transaction, org: UUID, booking: Booking, host_ids: Sequence[UUID], starts_at: datetime, cause: Cause
) -> Booking | Refused:
    """Hold another time as well, and begin what it needs; the caller holds the booking and has its turn."""
    if booking.state is not BookingState.CONFIRMED:
        raise ConflictError(f"Only a confirmed booking can be moved; this one is {booking.state}.")
    if booking.moving_to is not None:
        raise ConflictError("It is being moved already: try again once that is done.")
    asked = Asked(org=org, booking_id=booking.id, host_ids=tuple(host_ids), starts_at=starts_at)
    found, refused = await hold(tx, [asked])
    if refused:
        return refused[booking.id]
    (held,) = found
    saved = await bookings.save(tx, org, replace(booking, moving_to=held.hold_id))
    contact = None
    if booking.contact_id is not None:
        contact = (await bookings.contacts(tx, [(org, booking.contact_id)])).get((org, booking.contact_id))
    calendars = await hosts.calendars(tx, [(org, held.host.id)])
    context = _context(booking, held, contact, calendars.get((org, held.host.id)), moved=True)
    await booking_saga.start(tx, org, booking.id, context, cause)
    return saved


async def cancel(tx: Transaction, org: UUID, booking: Booking, reason: str, cause: Cause) -> Booking:
    """Free the slot at once and have the rest undone; the caller has its turn and holds the sagas and the booking."""
    slots = [booking.hold_id, *([booking.moving_to] if booking.moving_to else [])]
    await hosts.release(tx, org, slots)
    ended = replace(booking, state=BookingState.CANCELLED, reason=reason, moving_to=None)
    saved = await bookings.save(tx, org, ended)
    event = tx.emit(
        saved.cancelled(booking.state), org=org, sequence=saved.sequence, cause=cause, audience=AUDIENCE
    )
    if booking.state is BookingState.HELD and booking.request_id is not None:
        # Whoever asked has no answer yet.
        answer = replace(cause, request_id=booking.request_id)
        failed = saved.failed(Refusal.CANCELLED.value)
        tx.emit(failed, org=org, sequence=saved.sequence, cause=answer, audience=AUDIENCE)
    reminders.cancel_timers(tx, saved)
    now = await bookings.now(tx)
    await timeline.append(tx, [entry(org, event, Kind.BOOKING_CANCELLED, saved, now, cause)])
    for held in await booking_saga.hold(tx, org, booking.id):
        await booking_saga.withdraw(tx, held, reason, cause)
    return saved


def _booking(want: Wanted, held: Held) -> Booking:
    return Booking(
        id=want.booking_id,
        request_id=want.request_id,
        hold_id=held.hold_id,
        host_id=held.host.id,
        contact_id=want.contact_id,
        title=want.title or DEFAULT_TITLE,
        starts_at=held.asked.starts_at,
        ends_at=held.ends_at,
        time_zone=held.host.time_zone,
        created_at=datetime.now(UTC),
    )


def _context(
    booking: Booking, held: Held, contact: Row | None, calendar_id: UUID | None, *, moved: bool = False
) -> BookingHold:
    return BookingHold(
        booking_id=booking.id,
        hold_id=held.hold_id,
        calendar_id=calendar_id,
        contact_id=booking.contact_id,
        contact_name=contact["name"] if contact else None,
        contact_email=contact["email"] if contact else None,
        reachable=bool(contact and contact["reachable"]),
        title=booking.title,
        starts_at=held.asked.starts_at,
        ends_at=held.ends_at,
        time_zone=held.host.time_zone,
        moved=moved,
    )
