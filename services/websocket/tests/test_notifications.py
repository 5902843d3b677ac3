"""What people are told: once, in their list and live, as they want it."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.cause import Cause
from flotilla.events.auth import UserCreated, UserDeactivated
from flotilla.events.base import Event
from flotilla.events.websocket import (
    NotificationDelivered,
    NotificationFailed,
    NotificationRead,
    NotificationRequested,
)
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually

from services.websocket.tests.listening import socket_of


@pytest.fixture
async def anna(live: Harness, org: UUID) -> Client:
    """A member, known to websocket."""
    return live.client(org, "team_member", user_id=await joined(live, org))


def _is_about(notification_id: UUID, event: Any) -> bool:
    return bool(event.data.notification_id == notification_id)


async def joined(live: Harness, org: UUID, user_id: UUID | None = None) -> UUID:
    """Somebody is a member from now on, and websocket knows."""
    user_id = user_id or new_id()
    fields: dict[str, Any] = {
        "email": "a@b.c",
        "name": "Anna",
        "role": "team_member",
        "locale": "en",
        "state": "active",
    }
    await live.publish(UserCreated(user_id=user_id, **fields), org=org, sequence=1)

    async def known() -> bool:
        async with live.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT true FROM members WHERE id = $1", user_id))

    await eventually(known)
    return user_id


async def ask(live: Harness, org: UUID, user_id: UUID, **fields: Any) -> NotificationRequested:
    """Have somebody told."""
    given: dict[str, Any] = {"kind": "task.due", "title": "Call Iryna", "text": "At ten", "link": "/tasks/1"}
    wish = NotificationRequested(notification_id=new_id(), user_id=user_id, **given | fields)
    await publish(live, org, wish)
    return wish


async def publish(live: Harness, org: UUID, wish: NotificationRequested) -> None:
    cause = Cause(correlation_id=new_id(), request_id=wish.notification_id, actor="service:crm")
    await live.publish(wish, org=org, sequence=1, cause=cause)


async def answer(live: Harness, wish: NotificationRequested, type_: type[Event]) -> Any:
    return await live.spy.expect(type_, lambda event: event.envelope.requestid == wish.notification_id)


async def test_a_person_is_told_once_in_the_list_and_live(live: Harness, org: UUID, anna: Client) -> None:
    async with socket_of(anna) as mine, socket_of(live.client(org, "team_member")) as anothers:
        wish = await ask(live, org, anna.user_id, params={"name": "Iryna"})
        told = await answer(live, wish, NotificationDelivered)
        assert (told.data.title, told.data.kind, told.sequence) == ("Call Iryna", "task.due", 1)
        assert told.envelope.audience == f"user:{anna.user_id}"
        await mine.expect_event(told.id)
        # Asked for again, by an event of its own: it has its answer, and the next one comes after it.
        await publish(live, org, wish)
        after = await ask(live, org, anna.user_id)
        await mine.expect_event((await answer(live, after, NotificationDelivered)).id)
        assert anothers.events == []
    assert len(live.spy.of(NotificationDelivered, org)) == 2
    items = (await anna.get("/v1/notifications")).json()["items"]
    assert [each["id"] for each in items] == [str(after.notification_id), str(wish.notification_id)]
    assert items[1] | {"created_at": ""} == {
        "id": str(wish.notification_id),
        "kind": "task.due",
        "title": "Call Iryna",
        "text": "At ten",
        "link": "/tasks/1",
        "params": {"name": "Iryna"},
        "created_at": "",
        "read_at": None,
    }


async def test_one_is_read_and_then_all(live: Harness, org: UUID, anna: Client) -> None:
    wishes = [await ask(live, org, anna.user_id, title=f"Task {number}") for number in range(5)]
    for wish in wishes:
        await answer(live, wish, NotificationDelivered)
    assert (await anna.get("/v1/notifications/unread-count")).json() == {"unread": 5}
    path = f"/v1/notifications/{wishes[0].notification_id}/read"
    first, again = await anna.post(path), await anna.post(path)
    assert first.json()["read_at"] is not None
    assert again.json() == first.json()
    read = await live.spy.expect(NotificationRead, lambda event: event.org == org)
    assert (read.data.notification_id, read.sequence) == (wishes[0].notification_id, 2)
    long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert (await anna.post("/v1/notifications/read", {"until": long_ago})).json() == {"read": 0, "unread": 4}
    unread = (await anna.get("/v1/notifications?unread=true&limit=2")).json()
    rest = (await anna.get(f"/v1/notifications?unread=true&cursor={unread['next_cursor']}")).json()
    assert len(unread["items"] + rest["items"]) == 4
    assert (await anna.post("/v1/notifications/read", {})).json() == {"read": 4, "unread": 0}
    for wish in wishes:
        about = wish.notification_id
        await live.spy.expect(NotificationRead, partial(_is_about, about))
    assert len(live.spy.of(NotificationRead, org)) == 5


async def test_who_is_not_there_is_not_told(live: Harness, org: UUID, anna: Client) -> None:
    stranger = await ask(live, org, new_id())
    assert (await answer(live, stranger, NotificationFailed)).data.reason == "unknown_user"
    elsewhere = new_id()
    foreign = await ask(live, elsewhere, anna.user_id)
    assert (await answer(live, foreign, NotificationFailed)).data.reason == "unknown_user"
    gone = UserDeactivated(
        user_id=anna.user_id, email=None, name=None, role="team_member", locale="en", state="deactivated"
    )
    await live.publish(gone, org=org, sequence=2)
    erased = await ask(live, org, anna.user_id, title=None)
    assert (await answer(live, erased, NotificationFailed)).data.reason == "erased"

    async def left() -> bool:
        wish = await ask(live, org, anna.user_id)
        found = await live.spy.expect(
            Event, lambda event: event.envelope.requestid == wish.notification_id and event.data != wish
        )
        return getattr(found.data, "reason", "") == "deactivated"

    await eventually(left)


async def test_somebody_heard_of_late_is_told_all_the_same(live: Harness, org: UUID) -> None:
    late = new_id()
    wish = await ask(live, org, late)

    async def waits() -> bool:
        async with live.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT state = 'awaiting' FROM notifications"))

    await eventually(waits)
    await joined(live, org, late)
    told = await answer(live, wish, NotificationDelivered)
    assert (told.data.title, told.sequence) == ("Call Iryna", 2)
    assert not live.spy.of(NotificationFailed, org)


async def test_people_choose_what_they_are_told(live: Harness, org: UUID, anna: Client) -> None:
    path = "/v1/notification-preferences"
    before = await anna.get(path)
    assert (before.json(), before.headers["ETag"]) == ({"choices": []}, '"0"')
    choices = [
        {"kind": "*", "in_app": False},
        {"kind": "task", "in_app": True},
        {"kind": "task.done", "in_app": False, "email": True},
    ]
    chosen = await anna.put(path, {"choices": choices}, headers={"If-Match": '"0"'})
    assert (chosen.status, (await anna.get(path)).json()) == (200, chosen.json())
    stale = await anna.put(path, {"choices": []}, headers={"If-Match": '"0"'})
    assert stale.status == 412
    muted = await ask(live, org, anna.user_id, kind="billing.downgraded")
    assert (await answer(live, muted, NotificationFailed)).data.reason == "muted"
    by_mail = await ask(live, org, anna.user_id, kind="task.done")
    assert (await answer(live, by_mail, NotificationFailed)).data.reason == "no_channel"
    wanted = await ask(live, org, anna.user_id)
    await answer(live, wanted, NotificationDelivered)
    async with live.app.db.transaction(org) as tx:
        kept = await tx.fetch("SELECT id, title FROM notifications WHERE title IS NOT NULL")
    assert [row["id"] for row in kept] == [wanted.notification_id]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": [{"kind": "Task Due"}]},
        {"choices": [{"kind": "task.due", "sms": True}]},
        {"choices": [{"kind": "task"}, {"kind": "task"}]},
    ],
)
async def test_what_cannot_be_chosen(anna: Client, body: dict[str, Any]) -> None:
    refused = await anna.put("/v1/notification-preferences", body)
    assert (refused.status, refused.headers["Content-Type"]) == (422, "application/problem+json")


async def test_what_cannot_be_read(live: Harness, org: UUID, anna: Client) -> None:
    wish = await ask(live, org, anna.user_id)
    await answer(live, wish, NotificationDelivered)
    path = f"/v1/notifications/{wish.notification_id}/read"
    for nobody in (live.client(org), live.client(new_id(), user_id=anna.user_id)):
        assert (await nobody.post(path)).status == 404
        assert (await nobody.get("/v1/notifications")).json()["items"] == []
    assert (await live.anonymous().get("/v1/notifications")).status == 401
    assert (await anna.post("/v1/notifications/x/read")).status == 422
    assert (await anna.post("/v1/notifications/read", {"until": "yesterday"})).status == 422
    assert (await anna.get("/v1/notifications?cursor=x")).status == 422
    assert (await anna.get("/v1/notifications/unread-count")).json() == {"unread": 1}


async def test_notifications_have_their_time(live: Harness, org: UUID, anna: Client) -> None:
    wish = await ask(live, org, anna.user_id)
    await answer(live, wish, NotificationDelivered)
    async with live.app.db.transaction(org) as tx:
        await tx.execute("UPDATE notifications SET created_at = now() - interval '100 days'")
    jobs = "SELECT due_at - now() AS left, payload FROM jobs WHERE organization_id = $1"
    timer = await live.app.db.fetchrow(jobs, org)
    assert timer is not None
    assert timedelta(days=90) < timer["left"] <= timedelta(days=97)
    before = msgspec.convert(timer["payload"], dict[str, datetime], strict=False)["before"]
    assert before > datetime.now(UTC)
    await live.app.db.execute("UPDATE jobs SET due_at = now() WHERE organization_id = $1", org)
    live.app.jobs_wake.set()

    async def gone() -> bool:
        return bool((await anna.get("/v1/notifications")).json()["items"] == [])

    await eventually(gone)
