"""What others change in a calendar is told once; what we put there ourselves is not."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events.integrations import (
    CalendarEventChanged,
    CalendarEventCreated,
    CalendarEventDeleted,
    IntegrationDisconnected,
)
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_integrations.adapters import caldav
from flotilla_integrations.adapters.calendar import LIST_CHANGES, ListChanges

from services.integrations.tests.calendars.conftest import Host, NewHost


@pytest.fixture(scope="session")
async def looking(start_service: StartService) -> AsyncIterator[Harness]:
    """A service that looks into calendars again and again."""
    async with start_service(
        "integrations", private_addresses_allowed=True, calendar_sync_seconds=0.2
    ) as running:
        yield running


async def looks(host: Host, number: int) -> None:
    """So many more looks have been taken."""
    sql = "SELECT synced_at FROM calendar_syncs WHERE account_id = $1"

    async def taken_at() -> datetime | None:
        async with host.integrations.app.db.transaction(host.org) as tx:
            at: datetime | None = await tx.fetchval(sql, host.account_id)
        return at

    for _ in range(number):
        before = await taken_at()

        async def again(before: datetime | None = before) -> bool:
            return await taken_at() != before

        await eventually(again, what="a look at the calendar")


async def changed(host: Host, what: str, external_id: str) -> Received[CalendarEventChanged]:
    return await host.integrations.spy.expect(
        CalendarEventChanged,
        lambda event: (event.data.what, event.data.external_id) == (what, external_id),
    )


def told(host: Host) -> list[str]:
    return [event.data.what for event in host.integrations.spy.of(CalendarEventChanged, host.org)]


async def test_what_others_change_is_told_once(looking: Harness, new_host: NewHost) -> None:
    host = await new_host(looking)
    await looks(host, 1)
    dentist = await host.radicale.put(host.calendar, "dentist", "20300506T090000Z", "20300506T100000Z")
    created = await changed(host, "created", dentist)
    assert created.data.starts_at == datetime(2030, 5, 6, 9, tzinfo=UTC)
    assert (created.data.user_id, created.data.event_id) == (host.client.user_id, None)
    assert created.envelope.audience == f"user:{host.client.user_id}"
    assert b"Dentist" not in bytes(created.envelope.data)
    await host.radicale.put(host.calendar, "dentist", "20300506T110000Z", "20300506T120000Z")
    moved = await changed(host, "updated", dentist)
    assert moved.data.changed["starts_at"] == ["2030-05-06T09:00:00Z", "2030-05-06T11:00:00Z"]
    assert moved.sequence == created.sequence + 1
    await host.radicale.delete(dentist)
    gone = await changed(host, "deleted", dentist)
    assert gone.data.starts_at == datetime(2030, 5, 6, 11, tzinfo=UTC)
    await looks(host, 2)
    assert told(host) == ["created", "updated", "deleted"]


async def test_what_was_there_before_is_no_change(looking: Harness, new_host: NewHost) -> None:
    host = await new_host(looking)
    await host.radicale.put(host.calendar, "first", "20300506", "20300507")
    await looks(host, 2)
    later = await host.radicale.put(host.calendar, "later", "20300506T090000Z", "20300506T100000Z")
    await changed(host, "created", later)
    assert len(told(host)) <= 2


async def test_our_own_is_no_change_until_others_touch_it(looking: Harness, new_host: NewHost) -> None:
    host = await new_host(looking)
    await looks(host, 1)
    ours, other = host.wish(), host.wish()
    for wish in (ours, other):
        await host.ask(wish)
    created = await host.hears(CalendarEventCreated, ours.request_id)
    await host.hears(CalendarEventCreated, other.request_id)
    undo = await host.take_back(other)
    await host.hears(CalendarEventDeleted, undo.request_id)
    await looks(host, 3)
    assert told(host) == []
    await host.radicale.delete(created.data.external_id)
    gone = await changed(host, "deleted", created.data.external_id)
    assert (gone.data.event_id, gone.data.booking_id) == (ours.request_id, ours.booking_id)


async def test_nobody_looks_any_more_once_it_is_disconnected(looking: Harness, new_host: NewHost) -> None:
    host = await new_host(looking)
    await looks(host, 1)
    await host.client.delete(f"/v1/calendars/{host.account['id']}")
    await looking.spy.expect(IntegrationDisconnected, lambda event: event.data.account_id == host.account_id)

    async def idle() -> bool:
        jobs = await looking.app.db.fetch("SELECT 1 FROM jobs WHERE key = $1", str(host.account_id))
        return not jobs

    await eventually(idle, what="no more looks")


async def test_a_token_that_is_forgotten_and_a_server_without_any(
    looking: Harness, new_host: NewHost
) -> None:
    host = await new_host(looking)
    dentist = await host.radicale.put(host.calendar, "dentist", "20300506T090000Z", "20300506T100000Z")
    known = await looking.app.own.directory.find(UUID(host.account["id"]))
    assert isinstance(known.adapter, caldav.Caldav)
    known_before = {dentist: '"old"', f"{host.calendar}gone.ics": '"x"'}
    forgotten = ListChanges(token="http://radicale.org/ns/sync/0000", known=known_before, details=True)
    changes = await known.adapter.execute(LIST_CHANGES, forgotten)
    assert [item.external_id for item in changes.there] == [dentist]
    assert changes.gone == (f"{host.calendar}gone.ics",)
    assert changes.token
    by_etags = await known.adapter._compared(forgotten, [], None)
    assert set(by_etags.gone) == set(known_before)
