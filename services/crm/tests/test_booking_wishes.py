"""Bookings that other services ask for, and what both sides are reminded of."""

import asyncio
from uuid import UUID

import pytest
from flotilla.events.bookings import BookingConfirmed, BookingFailed
from flotilla.events.integrations import CalendarEventRequested, IntegrationDisconnected
from flotilla.events.messaging import MessageRequested
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.crm.tests.bookings import (
    a_contact,
    a_customer,
    a_host,
    answer,
    becomes,
    booked,
    connect_calendar,
    heard,
    shown,
    tomorrow,
    wish,
)
from services.crm.tests.conftest import Colleague
from services.crm.tests.messages import sent

REMIND = "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = 'booking_reminder'"
REMINDERS = "SELECT count(*) FROM jobs WHERE organization_id = $1 AND kind = 'booking_reminder'"


async def test_a_wish_is_granted_once_and_answered(crm: Harness, org: UUID, colleague: Colleague) -> None:
    host, contact = await a_host(crm, org, colleague), await a_contact(crm, org)
    wanted = await wish(crm, org, contact, tomorrow(9))
    confirmed = await heard(crm, org, BookingConfirmed)
    assert confirmed.data.booking_id == confirmed.envelope.requestid == wanted.request_id
    assert (str(confirmed.data.host_id), confirmed.data.title) == (host, "Demo")
    cause = confirmed.cause
    await asyncio.gather(*(crm.publish(wanted, org=org, sequence=1, cause=cause) for _ in range(3)))
    other = await wish(crm, org, contact, tomorrow(10), host)
    await heard(crm, org, BookingConfirmed, lambda data: data.booking_id == other.request_id)
    assert len(crm.spy.of(BookingConfirmed, org)) == 2
    assert len((await crm.client(org).get("/v1/bookings")).json()["items"]) == 2


async def test_of_wishes_for_one_slot_as_many_are_granted_as_there_are_hosts(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    hosts = [await a_host(crm, org, colleague) for _ in range(2)]
    contact = await a_contact(crm, org)
    wishes = await asyncio.gather(*(wish(crm, org, contact, tomorrow(9), *hosts) for _ in range(6)))

    async def answered() -> bool:
        done = crm.spy.of(BookingConfirmed, org) + crm.spy.of(BookingFailed, org)
        return {each.envelope.requestid for each in done} == {each.request_id for each in wishes}

    await eventually(answered, what="each wish has its answer")
    confirmed, failed = crm.spy.of(BookingConfirmed, org), crm.spy.of(BookingFailed, org)
    assert sorted(str(each.data.host_id) for each in confirmed) == sorted(hosts)
    assert {each.data.reason for each in failed} == {"taken"}
    offered = failed[0].data.free_slots
    assert (offered[0].starts_at, [str(id_) for id_ in offered[0].host_ids]) == (tomorrow(10), sorted(hosts))


async def test_who_wants_the_first_that_is_free_gets_it(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    hosts = [await a_host(crm, org, colleague) for _ in range(2)]
    contact = await a_contact(crm, org)
    for host in hosts:
        await booked(crm, org, contact, tomorrow(10), host)
    wishes = await asyncio.gather(
        *(wish(crm, org, contact, tomorrow(9), *hosts, first_free=True) for _ in range(7))
    )
    for each in wishes:
        await heard(crm, org, BookingConfirmed, lambda data, each=each: data.booking_id == each.request_id)
    asked = {each.request_id for each in wishes}
    confirmed = [each.data for each in crm.spy.of(BookingConfirmed, org) if each.data.booking_id in asked]
    starts = sorted(each.starts_at.hour for each in confirmed)
    # 10 is taken; two hosts have two slots each at 9, 11 and 12.
    assert starts == [9, 9, 11, 11, 12, 12, 13]
    gone = await wish(crm, org, contact, tomorrow(9), str(new_id()), first_free=True)
    failed = await heard(crm, org, BookingFailed)
    assert (failed.data.booking_id, failed.data.reason) == (gone.request_id, "unknown_host")


@pytest.mark.parametrize("what", ["unknown_contact", "unknown_host", "not_offered"])
async def test_what_cannot_be_booked_is_refused(
    crm: Harness, org: UUID, colleague: Colleague, what: str
) -> None:
    host, contact = await a_host(crm, org, colleague), await a_contact(crm, org)
    wanted = await wish(
        crm,
        org,
        str(new_id()) if what == "unknown_contact" else contact,
        tomorrow(9, 7 if what == "not_offered" else 0),
        str(new_id()) if what == "unknown_host" else host,
    )
    failed = await heard(crm, org, BookingFailed)
    assert (failed.data.reason, failed.envelope.requestid) == (what, wanted.request_id)
    assert bool(failed.data.free_slots) == (what == "not_offered")


async def test_a_calendar_that_was_disconnected_is_not_asked(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    host, contact = await a_host(crm, org, colleague), await a_contact(crm, org)
    account = await connect_calendar(crm, org, host)
    gone = IntegrationDisconnected(
        account_id=account,
        connector="caldav",
        name="Work",
        state="disconnected",
        kind="calendar",
        user_id=UUID(host),
    )
    await crm.publish(gone, org=org, sequence=2)

    async def forgotten() -> bool:
        async with crm.app.db.transaction(org) as tx:
            return not await tx.fetchval("SELECT connected FROM calendars WHERE id = $1", account)

    await eventually(forgotten, what="it is known to be gone")
    assert (await booked(crm, org, contact, tomorrow(9), host))["state"] == "confirmed"
    assert not crm.spy.of(CalendarEventRequested, org)


async def test_both_sides_are_reminded_and_a_cancelled_booking_reminds_nobody(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    host, contact = await a_host(crm, org, colleague), await a_customer(crm, org)
    kept = await booked(crm, org, contact, tomorrow(9), host)
    await answer(crm, (told := await heard(crm, org, MessageRequested)), sent(told.data))
    await becomes(crm, org, kept, "confirmed")
    assert await crm.app.db.fetchval(REMINDERS, org) == 2
    alone = await a_contact(crm, org)
    gone = await booked(crm, org, alone, tomorrow(11), host)
    # As if its timers had been on their way already.
    await crm.app.db.execute("UPDATE jobs SET key = 'late ' || key WHERE key LIKE $1", f"{gone['id']}:%")
    await crm.client(org).post(f"/v1/bookings/{gone['id']}/cancel")
    assert await crm.app.db.fetchval(REMINDERS, org) == 4
    await crm.app.db.execute(REMIND, org)

    async def fired() -> bool:
        return bool(await crm.app.db.fetchval(REMINDERS, org) == 0)

    await eventually(fired, what="all reminders are over")
    notice = await heard(crm, org, NotificationRequested)
    assert (str(notice.data.user_id), notice.data.kind) == (host, "booking.reminder")
    assert notice.data.link == f"/bookings/{kept['id']}"
    assert notice.envelope.audience == f"user:{host}"
    await crm.app.relay.drained(5)
    assert {each.data.link for each in crm.spy.of(NotificationRequested, org)} == {notice.data.link}
    texts = [each.data.text or "" for each in crm.spy.of(MessageRequested, org)]
    assert [text.split(":")[0] for text in texts] == [
        "Your booking is confirmed",
        "A reminder of your booking",
        "A reminder of your booking",
    ]


async def test_reminders_move_with_their_booking(crm: Harness, org: UUID, colleague: Colleague) -> None:
    host, contact = await a_host(crm, org, colleague), await a_contact(crm, org)
    booking = await booked(crm, org, contact, tomorrow(9), host)
    path = f"/v1/bookings/{booking['id']}/reschedule"
    moved = await crm.client(org).post(path, {"starts_at": shown(tomorrow(33))})
    assert (moved.json()["starts_at"], moved.json()["moving"]) == (shown(tomorrow(33)), False)
    rows = await crm.app.db.fetch(
        "SELECT due_at FROM jobs WHERE organization_id = $1 AND kind = 'booking_reminder' ORDER BY due_at",
        org,
    )
    assert [row["due_at"] for row in rows] == [tomorrow(9), tomorrow(32)]


async def test_a_person_who_is_forgotten_leaves_the_time_taken(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    client, host, contact = crm.client(org), await a_host(crm, org, colleague), await a_contact(crm, org)
    booking = await booked(crm, org, contact, tomorrow(9), host)
    gone = await client.delete(f"/v1/contacts/{contact}")
    assert gone.status < 300, gone.body
    left = (await client.get(f"/v1/bookings/{booking['id']}")).json()
    assert (left["contact_id"], left["state"]) == (None, "confirmed")
    async with crm.app.db.transaction(org) as tx:
        context = await tx.fetchval("SELECT context FROM sagas WHERE subject_id = $1", UUID(booking["id"]))
    assert (context["contact_name"], context["contact_email"]) == (None, None)
    moved = await client.post(f"/v1/bookings/{booking['id']}/reschedule", {"starts_at": shown(tomorrow(10))})
    assert moved.json()["starts_at"] == shown(tomorrow(10))
