"""A booking through the gateway alone really stands in the host's calendar, and is gone when it is cancelled."""

import pytest
from flotilla.testing import eventually
from flotilla.testing.radicale import PASSWORD, USER, Radicale

from tests.e2e.conftest import NewOffice
from tests.e2e.filled import first
from tests.e2e.test_bookings import a_slot


async def test_a_booking_stands_in_a_real_calendar_until_it_is_cancelled(
    new_office: NewOffice, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with Radicale.running(tmp_path_factory.mktemp("radicale")) as radicale:
        calendar = await radicale.make("bookings")
        office = await new_office("Harbour")
        owner = office.owner
        async with owner.live() as live:
            wanted = {
                "name": "Mine",
                "settings": {"url": calendar},
                "credentials": {"username": USER, "password": PASSWORD},
            }
            account = await owner.ok("POST", "/v1/calendars", wanted)
            mine = account["id"]
            connected = await live.expect(
                "integration.connected.v1", lambda data: data["account_id"] == mine, seconds=30
            )
            assert connected["data"]["kind"] == "calendar"
            await office.customer_writes("Could somebody show me around?", chat=4714)
            contact = (await live.expect("contact.created.v1"))["data"]
            slot = await a_slot(owner)
            body = {"contact_id": contact["contact_id"], "starts_at": slot["starts_at"], "title": "Demo"}
            booking = await owner.ok("POST", "/v1/bookings", body)
            confirmed = await live.expect("booking.confirmed.v1", seconds=30)
            assert confirmed["data"]["booking_id"] == booking["id"]
            (entry,) = await radicale.entries(calendar)
            assert "SUMMARY:Demo" in entry
            moment = slot["starts_at"].replace("-", "").replace(":", "")[:15]
            assert f"DTSTART:{moment}Z" in entry
            saga = await first(owner, f"/v1/sagas/crm?subject_id={booking['id']}")
            assert [(step["name"], step["state"]) for step in saga["steps"]] == [
                ("calendar", "done"),
                ("confirmation", "done"),
            ]
            await owner.ok("POST", f"/v1/bookings/{booking['id']}/cancel", {"reason": "Ill"})

            async def gone() -> bool:
                return await radicale.entries(calendar) == []

            await eventually(gone, seconds=30, what="the calendar is free again")
