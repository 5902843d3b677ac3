"""Inboxes: made and taken back as an onboarding asks, and set up by people."""

from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events.messaging import (
    InboxCreated,
    InboxDeleted,
    InboxDeleteFailed,
    InboxDeleteRequested,
    InboxFailed,
    InboxRequested,
    InboxUpdated,
)
from flotilla.ids import new_id
from flotilla.testing import Harness

Wish = InboxRequested | InboxDeleteRequested


async def _ask(messaging: Harness, org: UUID, wish: Wish) -> None:
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="service:auth")
    await messaging.publish(wish, org=org, sequence=1, cause=cause)


async def _answer(messaging: Harness, wish: Wish, type_: Any) -> Any:
    return await messaging.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


def _wished() -> InboxRequested:
    return InboxRequested(request_id=new_id(), name="Northwind", time_zone="Europe/Berlin")


def _back(wish: InboxRequested) -> InboxDeleteRequested:
    return InboxDeleteRequested(request_id=new_id(), cancels=wish.request_id, reason="no answer in time")


async def _begun(messaging: Harness, org: UUID) -> InboxRequested:
    wish = _wished()
    await _ask(messaging, org, wish)
    await _answer(messaging, wish, InboxCreated)
    return wish


async def _listed(messaging: Harness, org: UUID) -> list[Any]:
    found: list[Any] = (await messaging.client(org).get("/v1/inboxes")).json()["items"]
    return found


async def test_an_inbox_is_made_and_taken_back(messaging: Harness, org: UUID) -> None:
    wish = await _begun(messaging, org)
    (shown,) = await _listed(messaging, org)
    assert (shown["id"], shown["name"], shown["ai_mode"]) == (str(wish.request_id), "Northwind", "draft")
    assert (shown["time_zone"], shown["is_default"]) == ("Europe/Berlin", True)
    back = _back(wish)

    await _ask(messaging, org, back)

    gone = await _answer(messaging, back, InboxDeleted)
    assert (gone.data.inbox_id, gone.sequence) == (wish.request_id, 2)
    assert await _listed(messaging, org) == []


async def test_a_wish_that_was_taken_back_before_it_came_is_refused(messaging: Harness, org: UUID) -> None:
    wish = _wished()
    back = _back(wish)
    await _ask(messaging, org, back)
    assert (await _answer(messaging, back, InboxDeleted)).sequence == 1

    await _ask(messaging, org, wish)

    assert (await _answer(messaging, wish, InboxFailed)).data.reason == "cancelled"
    assert await _listed(messaging, org) == []


async def test_the_inbox_that_is_there_answers(messaging: Harness, org: UUID) -> None:
    first = await _begun(messaging, org)
    await _ask(messaging, org, first)
    second = _wished()
    await _ask(messaging, org, second)

    told = await _answer(messaging, second, InboxCreated)

    assert (told.data.inbox_id, told.sequence) == (first.request_id, 2)
    assert len(messaging.spy.of(InboxCreated, org)) == 2


async def test_what_people_have_set_up_stays_and_is_told(messaging: Harness, org: UUID) -> None:
    wish = await _begun(messaging, org)
    hours = [{"weekday": 1, "opens": "09:00", "closes": "17:30"}]
    change = {"hours": hours, "ai_mode": "autopilot", "channels": ["telegram"]}
    path = f"/v1/inboxes/{wish.request_id}"

    changed = await messaging.client(org).patch(path, change, headers={"If-Match": '"1"'})

    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.json()["hours"], changed.json()["channels"]) == (hours, ["telegram"])
    told = await messaging.spy.expect(InboxUpdated, lambda event: event.org == org)
    assert told.data.changed["ai_mode"] == ["draft", "autopilot"]
    assert (await messaging.client(org).patch(path, change)).headers["ETag"] == '"2"'
    stale = await messaging.client(org).patch(path, {"name": "Mine"}, headers={"If-Match": '"1"'})
    assert stale.status == 412
    back = _back(wish)
    await _ask(messaging, org, back)
    assert (await _answer(messaging, back, InboxDeleteFailed)).data.reason == "in_use"


@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"time_zone": "Mars/Olympus"},
        {"ai_mode": "always"},
        {"channels": ["Telegram!"]},
        {"hours": [{"weekday": 8, "opens": "09:00", "closes": "17:00"}]},
        {"hours": [{"weekday": 1, "opens": "17:00", "closes": "09:00"}]},
        {"hours": [{"weekday": 1, "opens": "25:00", "closes": "26:00"}]},
        {"is_default": False},
    ],
)
async def test_what_makes_no_sense_is_refused(messaging: Harness, org: UUID, change: dict[str, Any]) -> None:
    wish = await _begun(messaging, org)
    assert (await messaging.client(org).patch(f"/v1/inboxes/{wish.request_id}", change)).status == 422


async def test_members_read_and_strangers_do_not_see(messaging: Harness, org: UUID) -> None:
    wish = await _begun(messaging, org)
    path = f"/v1/inboxes/{wish.request_id}"
    assert (await messaging.client(org, "viewer").get(path)).status == 200
    assert (await messaging.client(org, "team_member").patch(path, {"name": "Mine"})).status == 403
    stranger = messaging.client(new_id())
    assert (await stranger.get(path)).status == 404
    assert (await stranger.patch(path, {"name": "Mine"})).status == 404
