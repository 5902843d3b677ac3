"""What is done with bookings: made, moved, cancelled, by people and for other services alike."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from flotilla.cause import Cause
from flotilla.problems import ConflictError
from flotilla.store.postgres import Row, Transaction

from flotilla_crm import reminders
from flotilla_crm.booking_saga import BookingHold, booking_saga, entry
from flotilla_crm.commands import AUDIENCE
from flotilla_crm.domain.availability import Busy, Host, Offer, by_turns, free
from flotilla_crm.domain.bookings import DEFAULT_TITLE, Asked, Booking, BookingState, Held, Refusal
from flotilla_crm.domain.timeline import Kind
from flotilla_crm.store import bookings, hosts, timeline

ATTEMPTS: Final = 5
"""How often the first free slot is looked for, where others are faster."""
LOOK_AHEAD: Final = timedelta(days=14)
OFFERS: Final = 5
"""How many free slots are named where one was not to be had."""

Hosts = Mapping[UUID, Mapping[UUID, Host]]
"""Organization → id → host."""


@dataclass(frozen=True, kw_only=True)
class Wanted(Asked):
    """A booking that shall be made."""

    contact_id: UUID
    title: str
    request_id: UUID | None = None
    """Of the wish that it answers."""
    cause: Cause


@dataclass(frozen=True)
class Refused:
    """Why there is none, and what can be had instead."""

    why: Refusal
    offers: tuple[Offer, ...] = ()


async def book(tx: Transaction, wanted: Sequence[Wanted]) -> dict[UUID, Booking | Refused]:
    """Hold a slot for each and begin its saga, or say why not: booking id → which. Those made are held, for now."""
    contacts = await bookings.contacts(tx, [(each.org, each.contact_id) for each in wanted])
    results: dict[UUID, Booking | Refused] = {
        each.booking_id: Refused(Refusal.UNKNOWN_CONTACT)
        for each in wanted
        if (each.org, each.contact_id) not in contacts
    }
    asked = {each.booking_id: each for each in wanted if each.booking_id not in results}
    held, refused = await _hold(tx, list(asked.values()))
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
    found, refused = await _hold(tx, [asked])
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


async def _hold(tx: Transaction, asked: Sequence[Asked]) -> tuple[list[Held], dict[UUID, Refused]]:
    """Keep a slot for each of these, or say why there is none."""
    if not asked:
        return [], {}
    now = await bookings.now(tx)
    known: Hosts = await hosts.bookable(tx, [each.org for each in asked])
    held: list[Held] = []
    refused: dict[UUID, Refusal] = {}
    pending = list(asked)
    for _ in range(ATTEMPTS):
        found = await _found(tx, known, pending, now)
        won, lost = await _claimed(tx, known, found, now)
        held += won
        refused = {id_: why for id_, why in refused.items() if id_ not in lost} | lost
        # Somebody was faster: what is the first that is free is to be looked up again.
        pending = [each for each in pending if each.first_free and lost.get(each.booking_id) is Refusal.TAKEN]
        if not pending:
            break
    refused = {
        id_: why for id_, why in refused.items() if id_ not in {each.asked.booking_id for each in held}
    }
    return held, await _with_offers(tx, known, asked, refused, now)


async def _found(tx: Transaction, known: Hosts, asked: Sequence[Asked], now: datetime) -> list[Asked]:
    """With the slot and the host of each that wants the first that is free; where there is none, as it was."""
    wanted = [each for each in asked if each.first_free]
    if not wanted:
        return list(asked)
    windows = [(each.org, begin := max(each.starts_at, now), begin + LOOK_AHEAD) for each in wanted]
    found: dict[UUID, Asked] = {}
    given: dict[UUID, list[Busy]] = defaultdict(list)
    for each, window, busy in zip(wanted, windows, await hosts.busy(tx, windows), strict=True):
        taken = {host: sorted([*busy[host], *given[host]]) for host in {*busy, *given}}
        named = by_turns(_named(known, each))
        offers = free(named, taken, window[1], window[2], now)
        if offers:
            first = offers[0]
            # Whose turn it is, where some have had one in this batch; the next of it looks past this.
            host = min(
                (host for host in named if host.id in first.host_ids), key=lambda host: len(given[host.id])
            )
            given[host.id].append((first.starts_at, first.starts_at + host.taken))
            found[each.booking_id] = replace(each, starts_at=first.starts_at, host_ids=(host.id,))
    return [found.get(each.booking_id, each) for each in asked]


async def _claimed(
    tx: Transaction, known: Hosts, asked: Sequence[Asked], now: datetime
) -> tuple[list[Held], dict[UUID, Refusal]]:
    """What of these could be held, and why the others could not."""
    held: list[Held] = []
    refused: dict[UUID, Refusal] = {}
    left: dict[UUID, list[Host]] = {}
    for each in asked:
        named = _named(known, each)
        left[each.booking_id] = [host for host in by_turns(named) if host.offers(each.starts_at, now)]
        if not left[each.booking_id]:
            refused[each.booking_id] = Refusal.NOT_OFFERED if named else Refusal.UNKNOWN_HOST
    pending = [each for each in asked if each.booking_id not in refused]
    # A round asks for one host for each, all in one statement; who did not get theirs asks for the next.
    turns: Counter[UUID] = Counter()
    while pending:
        tries = [Held(each, tx.app.new_id(), _next(left[each.booking_id], turns)) for each in pending]
        won = await hosts.claim(tx, tries)
        held += [each for each in tries if each.hold_id in won]
        lost = [each.asked for each in tries if each.hold_id not in won]
        pending = [each for each in lost if left[each.booking_id]]
        refused |= {each.booking_id: Refusal.TAKEN for each in lost if not left[each.booking_id]}
    return held, refused


def _next(left: list[Host], turns: Counter[UUID]) -> Host:
    """Whose turn it is, among hosts in their order, where some have had one in this batch; it is left no more."""
    host = min(left, key=lambda host: turns[host.id])
    turns[host.id] += 1
    left.remove(host)
    return host


async def _with_offers(
    tx: Transaction, known: Hosts, asked: Sequence[Asked], refused: Mapping[UUID, Refusal], now: datetime
) -> dict[UUID, Refused]:
    late = [each for each in asked if each.booking_id in refused]
    if not late:
        return {}
    windows = [(each.org, begin, begin + LOOK_AHEAD) for each in late if (begin := max(each.starts_at, now))]
    found: dict[UUID, Refused] = {}
    for each, window, busy in zip(late, windows, await hosts.busy(tx, windows), strict=True):
        offers = free(_named(known, each), busy, window[1], window[2], now)
        found[each.booking_id] = Refused(refused[each.booking_id], tuple(offers[:OFFERS]))
    return found


def _named(known: Hosts, asked: Asked) -> list[Host]:
    """The hosts of whom one is wanted, those of them that can be booked."""
    here = known.get(asked.org, {})
    return [here[id_] for id_ in (dict.fromkeys(asked.host_ids) or here) if id_ in here]


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
