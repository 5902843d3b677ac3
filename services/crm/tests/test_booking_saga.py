"""The booking saga on real servers; the test answers as integrations and messaging would."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events.bookings import (
    BookingCancelled,
    BookingConfirmed,
    BookingFailed,
    BookingRescheduled,
    BookingRescheduleFailed,
)
from flotilla.events.integrations import (
    CalendarEventDeleted,
    CalendarEventDeleteFailed,
    CalendarEventDeleteRequested,
    CalendarEventFailed,
    CalendarEventRequested,
)
from flotilla.events.messaging import MessageRefused, MessageRequested
from flotilla.testing import Harness, eventually

from services.crm.tests.bookings import (
    LATER,
    Json,
    a_contact,
    a_customer,
    a_host,
    answer,
    becomes,
    booked,
    connect_calendar,
    created,
    deleted,
    heard,
    post,
    saga_becomes,
    sagas,
    shown,
    tomorrow,
    wish,
)
from services.crm.tests.conftest import Colleague
from services.crm.tests.messages import sent


@pytest.fixture
async def host(crm: Harness, org: UUID, colleague: Colleague) -> str:
    """A host with a connected calendar."""
    found = await a_host(crm, org, colleague)
    await connect_calendar(crm, org, found)
    return found


async def _failed(crm: Harness, event: Received[CalendarEventRequested], reason: str = "full") -> None:
    fact = CalendarEventFailed(
        request_id=event.data.request_id,
        booking_id=event.data.booking_id,
        account_id=event.data.account_id,
        reason=reason,
    )
    await answer(crm, event, fact)


def _steps(saga: Json) -> list[tuple[str, str]]:
    return [(step["name"], step["state"]) for step in saga["steps"]]


async def test_it_stands_in_the_calendar_and_the_contact_is_told(crm: Harness, org: UUID, host: str) -> None:
    contact = await a_customer(crm, org)
    booking = await booked(crm, org, contact, tomorrow(9), host)
    assert booking["state"] == "held"
    asked = await heard(crm, org, CalendarEventRequested)
    assert (str(asked.data.booking_id), asked.data.starts_at) == (booking["id"], tomorrow(9))
    assert asked.data.attendees is not None
    assert asked.data.attendees[0].name == "Zoë Groß"
    assert asked.envelope.requestid == asked.data.request_id
    await answer(crm, asked, created(asked.data))
    told = await heard(crm, org, MessageRequested)
    assert (str(told.data.contact_id), told.data.conversation_id) == (contact, None)
    assert told.data.text is not None
    assert "09:00 to 10:00 (UTC)" in told.data.text
    await answer(crm, told, sent(told.data))
    confirmed = await heard(crm, org, BookingConfirmed)
    assert confirmed.envelope.correlationid == asked.envelope.correlationid
    assert (await becomes(crm, org, booking, "confirmed"))["starts_at"] == shown(tomorrow(9))
    (saga,) = await sagas(crm, org, booking)
    assert (saga["kind"], saga["state"]) == ("booking", "done")
    assert _steps(saga) == [("calendar", "done"), ("confirmation", "done")]


async def test_a_calendar_that_fails_frees_the_slot(crm: Harness, org: UUID, host: str) -> None:
    contact = await a_contact(crm, org)
    booking = await booked(crm, org, contact, tomorrow(9), host)
    asked = await heard(crm, org, CalendarEventRequested)
    assert (await post(crm, org, contact, tomorrow(9), host)).status == 409
    await _failed(crm, asked)
    failed = await heard(crm, org, BookingFailed)
    assert (str(failed.data.booking_id), failed.data.reason) == (booking["id"], "calendar: full")
    assert (await becomes(crm, org, booking, "failed"))["reason"] == "calendar: full"
    assert _steps((await sagas(crm, org, booking))[0]) == [
        ("calendar", "failed"),
        ("confirmation", "skipped"),
    ]
    await booked(crm, org, contact, tomorrow(9), host)
    assert not crm.spy.of(BookingConfirmed, org)


async def test_a_calendar_that_says_nothing_is_asked_to_forget_it(crm: Harness, org: UUID, host: str) -> None:
    booking = await booked(crm, org, await a_contact(crm, org), tomorrow(9), host)
    asked = await heard(crm, org, CalendarEventRequested)
    await crm.app.db.execute(LATER, org)
    undo = await heard(crm, org, CalendarEventDeleteRequested)
    assert undo.data.cancels == asked.data.request_id
    await answer(crm, undo, deleted(undo.data))
    assert (await heard(crm, org, BookingFailed)).data.reason == "calendar: no answer in time"
    await becomes(crm, org, booking, "failed")


@pytest.mark.parametrize("refused", [True, False])
async def test_a_contact_who_cannot_be_told_keeps_the_booking(
    crm: Harness, org: UUID, colleague: Colleague, refused: bool
) -> None:
    host, contact = await a_host(crm, org, colleague), await a_customer(crm, org)
    booking = await booked(crm, org, contact, tomorrow(9), host)
    told = await heard(crm, org, MessageRequested)
    if refused:
        no = MessageRefused(request_id=told.data.request_id, conversation_id=None, reason="too_long")
        await answer(crm, told, no)
    else:
        await crm.app.db.execute(LATER, org)
    await becomes(crm, org, booking, "confirmed")
    saga = await saga_becomes(crm, org, booking, "done")
    assert _steps(saga) == [("calendar", "skipped"), ("confirmation", "failed")]
    assert saga["steps"][1]["reason"] == ("too_long" if refused else "no answer in time")


async def test_cancelling_takes_it_out_of_the_calendar(crm: Harness, org: UUID, host: str) -> None:
    booking = await booked(crm, org, await a_contact(crm, org), tomorrow(9), host)
    asked = await heard(crm, org, CalendarEventRequested)
    await answer(crm, asked, created(asked.data))
    await becomes(crm, org, booking, "confirmed")
    path = f"/v1/bookings/{booking['id']}/cancel"
    assert (await crm.client(org).post(path, {"reason": "Ill"})).json()["state"] == "cancelled"
    undo = await heard(crm, org, CalendarEventDeleteRequested)
    assert (undo.data.cancels, undo.data.reason) == (asked.data.request_id, "Ill")
    await answer(crm, undo, deleted(undo.data))
    saga = await saga_becomes(crm, org, booking, "undone")
    assert (saga["reason"], _steps(saga)[0]) == ("Ill", ("calendar", "undone"))
    assert len(crm.spy.of(BookingCancelled, org)) == 1
    assert not crm.spy.of(BookingFailed, org)


async def test_a_calendar_event_that_comes_after_cancelling_is_taken_out_again(
    crm: Harness, org: UUID, host: str
) -> None:
    contact = await a_contact(crm, org)
    wanted = await wish(crm, org, contact, tomorrow(9), host)
    asked = await heard(crm, org, CalendarEventRequested)
    booking = {"id": str(wanted.request_id)}
    path = f"/v1/bookings/{wanted.request_id}/cancel"
    assert (await crm.client(org).post(path)).json()["state"] == "cancelled"
    failed = await heard(crm, org, BookingFailed)
    assert (failed.data.reason, failed.envelope.requestid) == ("cancelled", wanted.request_id)
    undo = await heard(crm, org, CalendarEventDeleteRequested)
    # The slot is free before the calendar has said anything.
    await booked(crm, org, contact, tomorrow(9), host)
    await answer(crm, asked, created(asked.data))

    async def again() -> bool:
        undos = crm.spy.of(CalendarEventDeleteRequested, org)
        return len([each for each in undos if each.data.cancels == asked.data.request_id]) == 2

    await eventually(again, what="the undo is asked for again")
    await answer(crm, undo, deleted(undo.data))
    saga = await saga_becomes(crm, org, booking, "undone")
    assert saga["steps"][0]["late"]
    assert not crm.spy.of(BookingConfirmed, org)
    assert (await becomes(crm, org, booking, "cancelled"))["reason"] == "cancelled"


async def test_an_event_that_stays_in_the_calendar_waits_for_a_person(
    crm: Harness, org: UUID, host: str
) -> None:
    booking = await booked(crm, org, await a_contact(crm, org), tomorrow(9), host)
    asked = await heard(crm, org, CalendarEventRequested)
    await answer(crm, asked, created(asked.data))
    await becomes(crm, org, booking, "confirmed")
    await crm.client(org).post(f"/v1/bookings/{booking['id']}/cancel")
    undo = await heard(crm, org, CalendarEventDeleteRequested)
    no = CalendarEventDeleteFailed(
        request_id=undo.data.request_id, cancels=undo.data.cancels, reason="read only"
    )
    await answer(crm, undo, no)
    saga = await saga_becomes(crm, org, booking, "stuck")
    left = await crm.client(org).post(f"/v1/sagas/crm/{saga['id']}/leave")
    assert (left.json()["state"], _steps(left.json())[0]) == ("undone", ("calendar", "kept"))


async def _confirmed(crm: Harness, org: UUID, host: str) -> tuple[Json, Received[Any]]:
    booking = await booked(crm, org, await a_contact(crm, org), tomorrow(9), host)
    asked = await heard(crm, org, CalendarEventRequested)
    await answer(crm, asked, created(asked.data))
    return await becomes(crm, org, booking, "confirmed"), asked


async def test_moving_holds_both_times_until_the_new_one_is_sure(crm: Harness, org: UUID, host: str) -> None:
    booking, first = await _confirmed(crm, org, host)
    path, contact = f"/v1/bookings/{booking['id']}/reschedule", booking["contact_id"]
    # Its own old time is no hindrance; those of others are.
    await booked(crm, org, contact, tomorrow(12), host)
    assert (await crm.client(org).post(path, {"starts_at": shown(tomorrow(12))})).status == 409
    moving = (await crm.client(org).post(path, {"starts_at": shown(tomorrow(10))})).json()
    assert (moving["state"], moving["moving"], moving["starts_at"]) == (
        "confirmed",
        True,
        shown(tomorrow(9)),
    )
    assert (await crm.client(org).post(path, {"starts_at": shown(tomorrow(14))})).status == 409
    for hour in (9, 10):
        assert (await post(crm, org, contact, tomorrow(hour), host)).status == 409
    second = await heard(crm, org, CalendarEventRequested, lambda data: data.starts_at == tomorrow(10))
    await answer(crm, second, created(second.data))
    moved = await heard(crm, org, BookingRescheduled)
    assert set(moved.data.changed) == {"starts_at", "ends_at"}
    assert (await becomes(crm, org, booking, "confirmed"))["starts_at"] == shown(tomorrow(10))
    undo = await heard(crm, org, CalendarEventDeleteRequested)
    assert undo.data.cancels == first.data.request_id
    await answer(crm, undo, deleted(undo.data))
    await saga_becomes(crm, org, booking, "undone", place=1)
    assert (await becomes(crm, org, booking, "confirmed"))["starts_at"] == shown(tomorrow(10))
    await booked(crm, org, contact, tomorrow(9), host)


async def test_a_move_that_fails_leaves_it_where_it_was(crm: Harness, org: UUID, host: str) -> None:
    booking, first = await _confirmed(crm, org, host)
    path = f"/v1/bookings/{booking['id']}/reschedule"
    await crm.client(org).post(path, {"starts_at": shown(tomorrow(10))})
    second = await heard(crm, org, CalendarEventRequested, lambda data: data.starts_at == tomorrow(10))
    await _failed(crm, second)
    stayed = await heard(crm, org, BookingRescheduleFailed)
    assert (stayed.data.failure, stayed.data.starts_at) == ("calendar: full", tomorrow(9))
    assert (await becomes(crm, org, booking, "confirmed"))["starts_at"] == shown(tomorrow(9))
    await booked(crm, org, booking["contact_id"], tomorrow(10), host)
    assert not crm.spy.of(CalendarEventDeleteRequested, org)
    # Cancelling undoes the one that stands.
    await crm.client(org).post(f"/v1/bookings/{booking['id']}/cancel")
    undo = await heard(crm, org, CalendarEventDeleteRequested)
    assert undo.data.cancels == first.data.request_id


async def test_cancelling_while_it_moves_undoes_both(crm: Harness, org: UUID, host: str) -> None:
    booking, first = await _confirmed(crm, org, host)
    path = f"/v1/bookings/{booking['id']}"
    await crm.client(org).post(f"{path}/reschedule", {"starts_at": shown(tomorrow(10))})
    second = await heard(crm, org, CalendarEventRequested, lambda data: data.starts_at == tomorrow(10))
    gone = (await crm.client(org).post(f"{path}/cancel")).json()
    assert (gone["state"], gone["moving"]) == ("cancelled", False)

    async def both() -> list[Received[Any]] | None:
        undos = crm.spy.of(CalendarEventDeleteRequested, org)
        wanted = {first.data.request_id, second.data.request_id}
        return list(undos) if {undo.data.cancels for undo in undos} == wanted else None

    for undo in await eventually(both, what="both are undone") or []:
        await answer(crm, undo, deleted(undo.data))
    for place in (0, 1):
        await saga_becomes(crm, org, booking, "undone", place)
    for hour in (9, 10):
        await booked(crm, org, booking["contact_id"], tomorrow(hour), host)


async def test_cancelling_and_answers_at_once_leave_one_end(crm: Harness, org: UUID, host: str) -> None:
    contact = await a_contact(crm, org)
    bookings = [await booked(crm, org, contact, tomorrow(hour), host) for hour in range(8)]
    wishes = {
        str((found := await heard(crm, org, CalendarEventRequested, _of(each))).data.booking_id): found
        for each in bookings
    }
    await asyncio.gather(
        *(answer(crm, event, created(event.data)) for event in wishes.values()),
        *(crm.client(org).post(f"/v1/bookings/{each['id']}/cancel") for each in bookings),
    )
    for each in bookings:
        undo = await heard(
            crm,
            org,
            CalendarEventDeleteRequested,
            lambda data, each=each: data.cancels == wishes[each["id"]].data.request_id,
        )
        await answer(crm, undo, deleted(undo.data))
        await saga_becomes(crm, org, each, "undone")
        assert (await becomes(crm, org, each, "cancelled"))["reason"] == "cancelled"
    parked = await crm.app.db.fetchval("SELECT count(*) FROM parked_events WHERE organization_id = $1", org)
    assert parked == 0
    assert len({event.data.event_id for event in crm.spy.of(CalendarEventDeleted, org)}) == 8


def _of(booking: Json) -> Any:
    return lambda data: str(data.booking_id) == booking["id"]
