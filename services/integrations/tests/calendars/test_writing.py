"""Bookings in a real calendar: there once, gone when taken back, whatever comes first and whatever is lost."""

from flotilla.events.integrations import (
    CalendarEventCreated,
    CalendarEventDeleted,
    CalendarEventDeleteFailed,
    CalendarEventFailed,
    IntegrationConnected,
    IntegrationFailed,
)
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.radicale import PASSWORD, USER

from services.integrations.tests.calendars.conftest import Host, NewHost
from services.integrations.tests.calendars.proxy import Proxy


async def test_a_calendar_is_its_owners_own(integrations: Harness, host: Host) -> None:
    assert (host.account["state"], host.account["hook_url"]) == ("connected", None)
    assert host.account["external_id"] == host.calendar
    told = await integrations.spy.expect(
        IntegrationConnected, lambda event: event.data.account_id == host.account_id
    )
    assert (told.data.kind, told.data.user_id) == ("calendar", host.client.user_id)
    path = f"/v1/calendars/{host.account['id']}"
    assert PASSWORD.encode() not in (await host.client.get(path)).body
    colleague = integrations.client(host.org, "team_member")
    assert (await colleague.get(path)).status == 404
    assert (await colleague.delete(path)).status == 404
    assert (await colleague.get("/v1/calendars")).json()["items"] == []
    assert [each["id"] for each in (await host.client.get("/v1/calendars")).json()["items"]] == [
        host.account["id"]
    ]
    assert (await integrations.client(host.org, "viewer").post("/v1/calendars", {})).status == 403


async def test_it_stands_there_once_and_goes(integrations: Harness, host: Host) -> None:
    wish = host.wish()
    await host.ask(wish)
    await host.ask(wish)
    created = await host.hears(CalendarEventCreated, wish.request_id)
    assert (created.data.event_id, created.data.booking_id) == (wish.request_id, wish.booking_id)
    (entry,) = await host.entries()
    assert "SUMMARY:Demo\\; with\\, commas" in entry
    assert "DTSTART:20300506T090000Z" in entry
    assert "With Zoë Groß <zoe@example.org>" in entry
    assert "ATTENDEE" not in entry
    undo = await host.take_back(wish)
    deleted = await host.hears(CalendarEventDeleted, undo.request_id)
    assert (deleted.data.event_id, deleted.data.reason) == (wish.request_id, "Changed my mind")
    assert deleted.sequence > created.sequence
    assert await host.entries() == []
    again = await host.take_back(wish)
    await host.hears(CalendarEventDeleted, again.request_id)
    assert len(integrations.spy.of(CalendarEventCreated, host.org)) == 1


async def test_an_undo_that_comes_first_refuses_the_wish(host: Host) -> None:
    wish = host.wish()
    undo = await host.take_back(wish)
    await host.hears(CalendarEventDeleted, undo.request_id)
    await host.ask(wish)
    failed = await host.hears(CalendarEventFailed, wish.request_id)
    assert failed.data.reason == "cancelled"
    assert await host.entries() == []


async def test_who_has_deleted_it_already_is_no_hindrance(host: Host) -> None:
    wish = host.wish()
    await host.ask(wish)
    created = await host.hears(CalendarEventCreated, wish.request_id)
    await host.radicale.delete(created.data.external_id)
    undo = await host.take_back(wish)
    await host.hears(CalendarEventDeleted, undo.request_id)


async def test_no_calendar_no_event(host: Host, integrations: Harness) -> None:
    stranger = host.wish(account_id=new_id())
    await host.ask(stranger)
    failed = await host.hears(CalendarEventFailed, stranger.request_id)
    assert failed.data.reason == "unknown_account"
    assert (await host.client.delete(f"/v1/calendars/{host.account['id']}")).status == 204
    wish = host.wish()
    await host.ask(wish)
    assert (await host.hears(CalendarEventFailed, wish.request_id)).data.reason == "not_connected"


async def test_a_password_that_is_changed_fails_the_account(
    host: Host, integrations: Harness, new_host: NewHost
) -> None:
    wish = host.wish()
    await host.ask(wish)
    await host.hears(CalendarEventCreated, wish.request_id)
    (host.radicale.folder / "users").write_text(f"{USER}:another\n")
    try:
        undo = await host.take_back(wish)
        refused = await host.hears(CalendarEventDeleteFailed, undo.request_id)
        assert "does not accept" in refused.data.reason
        failed = await integrations.spy.expect(
            IntegrationFailed, lambda event: event.data.account_id == host.account_id
        )
        assert failed.data.kind == "calendar"
    finally:
        (host.radicale.folder / "users").write_text(f"{USER}:{PASSWORD}\n")


async def test_a_lost_answer_does_not_double_it(new_host: NewHost, proxy: Proxy) -> None:
    host = await new_host(url=proxy.address + await _path(new_host))
    proxy.lose("PUT")
    wish = host.wish()
    await host.ask(wish)
    created = await host.hears(CalendarEventCreated, wish.request_id)
    assert proxy.lost == ["PUT"]
    assert len(await host.radicale.entries(_direct(host, proxy))) == 1
    proxy.lose("DELETE")
    undo = await host.take_back(wish)
    await host.hears(CalendarEventDeleted, undo.request_id)
    assert await host.radicale.entries(_direct(host, proxy)) == []
    assert created.data.external_id.startswith(proxy.address)


async def test_what_is_taken_back_while_it_is_written_goes_again(new_host: NewHost, proxy: Proxy) -> None:
    host = await new_host(url=proxy.address + await _path(new_host))
    proxy.hold("PUT")
    wish = host.wish()
    await host.ask(wish)

    async def asking() -> bool:
        return "PUT" in proxy.held

    await eventually(asking, what="the calendar is being asked")
    undo = await host.take_back(wish)

    async def known() -> bool:
        async with host.integrations.app.db.transaction(host.org) as tx:
            state = await tx.fetchval("SELECT state FROM calendar_events WHERE id = $1", wish.request_id)
        return bool(state == "deleting")

    await eventually(known, what="the undo is known")
    proxy.let_go()
    await host.hears(CalendarEventDeleted, undo.request_id)
    failed = await host.hears(CalendarEventFailed, wish.request_id)
    assert failed.data.reason == "cancelled"
    assert await host.radicale.entries(_direct(host, proxy)) == []
    assert not host.integrations.spy.of(CalendarEventCreated, host.org)


async def test_of_several_calendars_one_is_to_be_chosen(new_host: NewHost, host: Host) -> None:
    await new_host()
    server = await new_host(url=host.radicale.address)
    assert server.account["state"] == "failed"
    assert "Give the address of one calendar" in server.account["reason"]
    assert f"{host.radicale.address}/{USER}/c" in server.account["reason"]
    nothing = await new_host(url=f"{host.calendar}nothing")
    assert "There is no calendar" in nothing.account["reason"]


async def _path(new_host: NewHost) -> str:
    calendar = (await new_host()).calendar
    return "/" + calendar.split("/", 3)[3]


def _direct(host: Host, proxy: Proxy) -> str:
    return str(host.account["external_id"]).replace(proxy.address, host.radicale.address)
