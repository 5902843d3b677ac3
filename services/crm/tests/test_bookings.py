"""Bookings over HTTP: slots, collisions, turns, and what people may."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.bookings import BookingCancelled, BookingConfirmed
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.crm.tests.bookings import ALWAYS, a_contact, a_host, booked, heard, post, shown, tomorrow
from services.crm.tests.conftest import Colleague


async def _slots(crm: Harness, org: UUID, *hosts: str, hours: int = 24, **query: Any) -> list[dict[str, Any]]:
    wanted = {"from": shown(tomorrow()), "to": shown(tomorrow(hours)), **query}
    parts = [f"{name}={value}" for name, value in wanted.items()] + [f"host_id={host}" for host in hosts]
    answer = await crm.client(org).get("/v1/bookings/slots?" + "&".join(parts))
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_booking_takes_its_slot_and_cancelling_frees_it(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    client, host, contact = crm.client(org), await a_host(crm, org, colleague), await a_contact(crm, org)
    free = await _slots(crm, org, hours=3)
    assert [slot["starts_at"] for slot in free] == [shown(tomorrow(hour)) for hour in range(3)]
    made = await post(crm, org, contact, tomorrow(1), host, title="Demo")
    booking = made.json()
    # Nobody need be asked: it stands at once.
    assert (made.status, booking["state"], booking["host_id"]) == (201, "confirmed", host)
    assert booking["ends_at"] == shown(tomorrow(2))
    confirmed = await heard(crm, org, BookingConfirmed)
    assert (confirmed.data.title, confirmed.data.changed) == ("Demo", {"state": ["held", "confirmed"]})
    assert [slot["starts_at"] for slot in await _slots(crm, org, host, hours=3)] == [
        shown(tomorrow()),
        shown(tomorrow(2)),
    ]
    path = f"/v1/bookings/{booking['id']}"
    stale = await client.post(f"{path}/cancel", headers={"If-Match": '"1"'})
    assert stale.status == 412
    gone = await client.post(f"{path}/cancel", {"reason": "She is ill"})
    assert (gone.json()["state"], gone.json()["reason"]) == ("cancelled", "She is ill")
    assert (await heard(crm, org, BookingCancelled)).data.changed == {"state": ["confirmed", "cancelled"]}
    again = await client.post(f"{path}/cancel")
    assert (again.status, again.headers["ETag"]) == (200, gone.headers["ETag"])
    assert len(await _slots(crm, org, host, hours=3)) == 3
    kinds = [each["kind"] for each in (await client.get(f"/v1/contacts/{contact}/timeline")).json()["items"]]
    assert kinds == ["booking.cancelled", "booking.confirmed", "contact.created"]


async def test_of_two_at_once_one_has_the_slot_and_the_other_is_told_what_is_free(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    host, contact = await a_host(crm, org, colleague), await a_contact(crm, org)
    answers = await asyncio.gather(*(post(crm, org, contact, tomorrow(9), host) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409, 409]
    refused = next(answer.json() for answer in answers if answer.status == 409)
    assert refused["type"] == "/problems/conflict"
    assert "free_slots" in refused["detail"]
    assert refused["free_slots"][0] == {
        "starts_at": shown(tomorrow(10)),
        "ends_at": shown(tomorrow(11)),
        "host_ids": [host],
    }
    assert len(refused["free_slots"]) == 5
    next_one = refused["free_slots"][0]["starts_at"]
    body = {"contact_id": contact, "starts_at": next_one, "host_ids": [host]}
    assert (await crm.client(org).post("/v1/bookings", body)).status == 201


async def test_the_database_refuses_overlaps_whoever_writes_them(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    host, contact = await a_host(crm, org, colleague), await a_contact(crm, org)
    await booked(crm, org, contact, tomorrow(9), host)
    sql = """INSERT INTO booking_holds (organization_id, id, booking_id, host_id, starts_at, ends_at, during)
             SELECT $1, $2, $2, $3, $4, $5, tstzrange($4, $5)"""
    with pytest.raises(Exception, match="one_at_a_time"):
        async with crm.app.db.transaction(org) as tx:
            await tx.execute(sql, org, new_id(), UUID(host), tomorrow(9, 30), tomorrow(10, 30))


async def test_hosts_take_turns(crm: Harness, org: UUID, colleague: Colleague) -> None:
    hosts = [await a_host(crm, org, colleague) for _ in range(3)]
    contact = await a_contact(crm, org)
    assert (await _slots(crm, org, *hosts, hours=1))[0]["host_ids"] == sorted(hosts)
    first = [(await booked(crm, org, contact, tomorrow(9), *hosts))["host_id"] for _ in hosts]
    assert sorted(first) == sorted(hosts)
    then = [(await booked(crm, org, contact, tomorrow(12 + place)))["host_id"] for place in range(3)]
    assert then == first
    assert (await post(crm, org, contact, tomorrow(9), *hosts)).status == 409


async def test_what_is_not_offered_is_refused_with_what_is(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    host, contact = await a_host(crm, org, colleague, notice_minutes=24 * 60), await a_contact(crm, org)
    late = await post(crm, org, contact, tomorrow() - timedelta(days=1, hours=20), host)
    odd = await post(crm, org, contact, tomorrow(9, 7), host)
    for answer in (late, odd):
        assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/starts_at")
    assert odd.json()["free_slots"][0]["starts_at"] == shown(tomorrow(10))
    nobody = await post(crm, org, contact, tomorrow(9), str(new_id()))
    assert nobody.json()["errors"][0]["pointer"] == "/host_ids"
    unknown = await post(crm, org, str(new_id()), tomorrow(9), host)
    assert unknown.json()["errors"][0]["pointer"] == "/contact_id"
    await crm.client(org).put(
        f"/v1/bookings/hosts/{host}", {"time_zone": "UTC", "hours": ALWAYS, "active": False}
    )
    away = await post(crm, org, contact, tomorrow(9), host)
    assert away.json()["errors"][0]["pointer"] == "/host_ids"


async def test_people_set_their_own_hours_and_leaders_everybodys(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    mine, other = await colleague(), await colleague()
    me = crm.client(org, role="team_member", user_id=mine)
    body = {"time_zone": "Europe/Berlin", "hours": [{"weekday": 1, "opens": "09:00", "closes": "17:00"}]}
    set_ = await me.put(f"/v1/bookings/hosts/{mine}", body)
    assert set_.json() == {
        "id": str(mine),
        **body,
        "length_minutes": 30,
        "buffer_minutes": 0,
        "notice_minutes": 60,
        "active": True,
    }
    assert (await me.put(f"/v1/bookings/hosts/{other}", body)).status == 403
    leader = crm.client(org, role="team_owner")
    assert (await leader.put(f"/v1/bookings/hosts/{other}", body)).status == 200
    assert (await leader.put(f"/v1/bookings/hosts/{new_id()}", body)).status == 404
    stale = await me.put(f"/v1/bookings/hosts/{mine}", body, headers={"If-Match": '"7"'})
    assert stale.status == 412
    listed = (await me.get("/v1/bookings/hosts?limit=1")).json()
    rest = (await me.get(f"/v1/bookings/hosts?limit=1&cursor={listed['next_cursor']}")).json()
    assert [host["id"] for host in listed["items"] + rest["items"]] == sorted([str(mine), str(other)])
    for wrong in (
        {"time_zone": "Europe/Atlantis", "hours": []},
        {"time_zone": "UTC", "hours": [{"weekday": 1, "opens": "17:00", "closes": "09:00"}]},
        {
            "time_zone": "UTC",
            "hours": [
                {"weekday": 1, "opens": "09:00", "closes": "12:00"},
                {"weekday": 1, "opens": "11:00", "closes": "13:00"},
            ],
        },
        {"time_zone": "UTC", "hours": [{"weekday": 8, "opens": "09:00", "closes": "24:00"}]},
    ):
        assert (await me.put(f"/v1/bookings/hosts/{mine}", wrong)).status == 422
    assert (await me.get(f"/v1/bookings/hosts/{new_id()}")).status == 404


async def test_lists_are_paged_by_time(crm: Harness, org: UUID, colleague: Colleague) -> None:
    client, host, contact = crm.client(org), await a_host(crm, org, colleague), await a_contact(crm, org)
    for hour in (11, 9, 10):
        await booked(crm, org, contact, tomorrow(hour), host)
    seen: list[str] = []
    cursor = ""
    while True:
        query = f"host_id={host}&contact_id={contact}&state=confirmed&from={shown(tomorrow(10))}&limit=1"
        page = (await client.get(f"/v1/bookings?{query}{cursor}")).json()
        seen += [each["starts_at"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [shown(tomorrow(10)), shown(tomorrow(11))]
    first = await client.get(f"/v1/bookings/slots?from={shown(tomorrow(8))}&to={shown(tomorrow(14))}&limit=2")
    rest = await client.get(
        f"/v1/bookings/slots?from={shown(tomorrow(8))}&to={shown(tomorrow(14))}"
        f"&cursor={first.json()['next_cursor']}"
    )
    hours = [slot["starts_at"][11:13] for slot in first.json()["items"] + rest.json()["items"]]
    assert hours == ["08", "12", "13"]
    for query in (
        f"from={shown(tomorrow(2))}&to={shown(tomorrow(1))}",
        f"from={shown(tomorrow())}&to={shown(tomorrow(32 * 24))}",
        "from=now&to=then",
    ):
        assert (await client.get(f"/v1/bookings/slots?{query}")).status == 422


async def test_others_know_nothing_of_it(crm: Harness, org: UUID, colleague: Colleague) -> None:
    host, contact = await a_host(crm, org, colleague), await a_contact(crm, org)
    booking = await booked(crm, org, contact, tomorrow(9), host)
    stranger = crm.client(new_id())
    path = f"/v1/bookings/{booking['id']}"
    assert (await stranger.get(path)).status == (await stranger.post(f"{path}/cancel")).status == 404
    moved = await stranger.post(f"{path}/reschedule", {"starts_at": shown(tomorrow(10))})
    assert moved.status == 404
    assert (await crm.client(org, role="viewer").post(f"{path}/cancel")).status == 403
