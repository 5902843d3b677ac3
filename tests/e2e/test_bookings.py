"""A booking through the gateway alone: the customer is told on their channel, and nobody else has the slot."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flotilla.testing import eventually
from flotilla.testing.people import Office, Person

from tests.e2e.conftest import NewOffice
from tests.e2e.filled import first

EVERY_DAY = [{"weekday": day, "opens": "09:00", "closes": "17:00"} for day in range(1, 8)]


async def test_a_customer_is_booked_told_and_let_go(new_office: NewOffice) -> None:
    office = await new_office("Harbour")
    owner = office.owner
    async with owner.live() as live:
        await office.customer_writes("Could somebody show me around?", chat=4713)
        contact = (await live.expect("contact.created.v1"))["data"]
        slot = await a_slot(owner)
        wanted = {"contact_id": contact["contact_id"], "starts_at": slot["starts_at"], "title": "Demo"}
        answers = await asyncio.gather(*(owner.call("POST", "/v1/bookings", wanted) for _ in range(3)))
        assert sorted(answer.status for answer in answers) == [201, 409, 409]
        booking = next(answer.json() for answer in answers if answer.status == 201)
        refused = next(answer.json() for answer in answers if answer.status == 409)
        assert refused["free_slots"][0]["starts_at"] > slot["starts_at"]
        confirmed = await live.expect("booking.confirmed.v1")
        assert confirmed["data"]["booking_id"] == booking["id"]
        await eventually(lambda: told(office, "Your booking is confirmed: Demo"), what="the customer is told")
        await eventually(lambda: steps_taken(owner, booking["id"]), what="the saga has heard of it")
        await owner.ok("POST", f"/v1/bookings/{booking['id']}/cancel", {"reason": "Ill"})
        cancelled = await live.expect("booking.cancelled.v1")
        assert cancelled["data"]["reason"] == "Ill"
    again = await owner.call("POST", "/v1/bookings", wanted)
    assert again.status == 201


async def steps_taken(owner: Person, booking_id: str) -> bool:
    """Whether the saga has done what it had to: the answer may come after the message."""
    saga = await first(owner, f"/v1/sagas/crm?subject_id={booking_id}")
    steps = [(step["name"], step["state"]) for step in saga["steps"]]
    assert steps == [("calendar", "skipped"), ("confirmation", "done")], steps
    return True


async def a_slot(owner: Person) -> dict[str, Any]:
    """The first that is free from tomorrow on; the owner can be booked from now on."""
    host = f"/v1/bookings/hosts/{owner.user['id']}"
    await owner.ok("PUT", host, {"time_zone": "Europe/Berlin", "hours": EVERY_DAY})
    begin = datetime.now(UTC) + timedelta(days=1)
    window = {"from": begin.isoformat(), "to": (begin + timedelta(days=7)).isoformat()}
    return await first(owner, f"/v1/bookings/slots?{urlencode(window)}")


async def told(office: Office, beginning: str) -> bool:
    """Whether the customer has a message that begins so."""
    return any(
        each.token == office.token and each.text.startswith(beginning) for each in office.telegram.sent
    )
