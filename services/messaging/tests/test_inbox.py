"""What people do in the inbox."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flotilla.events.auth import UserDeactivated
from flotilla.events.messaging import (
    ConversationAssigned,
    ConversationReopened,
    ConversationSnoozed,
    ConversationUpdated,
)
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.simulators.channel import Channel

Received = Callable[..., Awaitable[UUID]]
Member = Callable[..., Awaitable[UUID]]


async def test_an_active_member_is_given_a_conversation(
    messaging: Harness, org: UUID, people: Client, received: Received, member: Member
) -> None:
    path = f"/v1/conversations/{await received()}"
    anna, viewer = await member(), await member("viewer")
    for nobody in (new_id(), viewer):
        refused = await people.patch(path, {"assignee_id": str(nobody)})
        assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/assignee_id")
    tag = (await people.get(path)).headers["ETag"]
    given = await people.patch(path, {"assignee_id": str(anna)}, headers={"If-Match": tag})
    assert (given.status, given.json()["assignee_id"]) == (200, str(anna))
    stale = await people.patch(path, {"assignee_id": None}, headers={"If-Match": tag})
    assert stale.status == 412
    told = await messaging.spy.expect(ConversationAssigned, lambda event: event.org == org)
    assert told.data.changed == {"assignee_id": [None, str(anna)]}
    assert told.envelope.actor == f"user:{people.user_id}"
    mine = await people.get(f"/v1/conversations?assignee_id={anna}")
    assert len(mine.json()["items"]) == 1
    assert (await people.get("/v1/conversations?unassigned=true")).json()["items"] == []


async def test_what_somebody_who_left_had_is_nobodys_again(
    messaging: Harness, org: UUID, people: Client, received: Received, member: Member
) -> None:
    anna, bohdan = await member(), await member()
    ids = [await received(to=Channel(new_id(), str(number))) for number in range(3)]
    for conversation_id, holder in zip(ids, (anna, anna, bohdan), strict=True):
        await people.patch(f"/v1/conversations/{conversation_id}", {"assignee_id": str(holder)})
    await people.post(f"/v1/conversations/{ids[1]}/resolve")
    await messaging.publish(
        UserDeactivated(
            user_id=anna, email=None, name=None, role="team_member", locale="en", state="deactivated"
        ),
        org=org,
        sequence=9,
    )

    async def released() -> bool:
        found = (await people.get("/v1/conversations?unassigned=true")).json()["items"]
        return [each["id"] for each in found] == [str(ids[0])]

    await eventually(released)
    refused = await people.patch(f"/v1/conversations/{ids[0]}", {"assignee_id": str(anna)})
    assert refused.status == 422


async def test_the_ai_is_switched_off_for_one_conversation(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}"
    assert (await people.patch(path, {"ai_enabled": False})).json()["ai_enabled"] is False
    told = await messaging.spy.expect(ConversationUpdated, lambda event: event.org == org)
    assert told.data.changed == {"ai_enabled": [True, False]}
    assert (await people.patch(path, {"labels": []})).status == 422


async def _next_timer_rings(messaging: Harness, org: UUID) -> None:
    """As if its time had come."""
    await messaging.app.db.execute(
        "UPDATE jobs SET due_at = now() WHERE id = (SELECT id FROM jobs WHERE organization_id = $1"
        " AND kind = 'snooze_ended' ORDER BY due_at LIMIT 1)",
        org,
    )
    messaging.app.jobs_wake.set()


async def test_a_snooze_ends_by_itself(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}"
    past = await people.post(f"{path}/snooze", {"until": "2020-01-01T00:00:00Z"})
    assert past.status == 422
    until = datetime.now(UTC) + timedelta(hours=1)
    asleep = await people.post(f"{path}/snooze", {"until": until.isoformat()})
    assert asleep.json()["state"] == "snoozed"
    await messaging.spy.expect(ConversationSnoozed, lambda event: event.org == org)
    await _next_timer_rings(messaging, org)
    awake = await messaging.spy.expect(ConversationReopened, lambda event: event.org == org)
    assert awake.data.changed["state"] == ["snoozed", "open"]
    assert (await people.get(path)).json()["snoozed_until"] is None


async def test_a_later_snooze_outlives_the_earlier_one(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}"
    now = datetime.now(UTC)
    for until in (now + timedelta(hours=1), now + timedelta(hours=2)):
        assert (await people.post(f"{path}/snooze", {"until": until.isoformat()})).status == 200
    await _next_timer_rings(messaging, org)

    async def first_timer_fired() -> bool:
        left = await messaging.app.db.fetchval("SELECT count(*) FROM jobs WHERE organization_id = $1", org)
        return bool(left == 1)

    await eventually(first_timer_fired)
    assert (await people.get(path)).json()["state"] == "snoozed"


async def test_resolving_twice_says_it_once(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}"
    first = await people.post(f"{path}/resolve")
    again = await people.post(f"{path}/resolve")
    assert (first.status, again.status) == (200, 200)
    assert first.json() == again.json()
    assert (await people.post(f"{path}/reopen")).json()["sequence"] == 3


async def test_the_inbox_is_read_in_pages_and_by_state(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    ids = await asyncio.gather(
        *(received(number=number, to=Channel(new_id(), str(number))) for number in range(5))
    )
    newest_first = [str(each) for each in reversed(ids)]
    await people.post(f"/v1/conversations/{ids[0]}/resolve")
    seen: list[str] = []
    cursor = ""
    while True:
        answer = (await people.get(f"/v1/conversations?limit=2{cursor}")).json()
        seen += [each["id"] for each in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == newest_first
    still_open = (await people.get("/v1/conversations?state=open&channel=telegram")).json()["items"]
    assert [each["id"] for each in still_open] == newest_first[:-1]


async def test_another_organization_sees_nothing(messaging: Harness, received: Received) -> None:
    conversation_id = await received()
    stranger = messaging.client(new_id())
    path = f"/v1/conversations/{conversation_id}"
    tried = [
        await stranger.get(path),
        await stranger.get(f"{path}/messages"),
        await stranger.patch(path, {"ai_enabled": False}),
        await stranger.post(f"{path}/resolve"),
        await stranger.post(f"{path}/messages", {"text": "x"}),
    ]
    assert {answer.status for answer in tried} == {404}
    assert (await stranger.get("/v1/conversations")).json()["items"] == []


async def test_a_viewer_reads_and_does_not_write(messaging: Harness, org: UUID, received: Received) -> None:
    path = f"/v1/conversations/{await received()}"
    viewer = messaging.client(org, "viewer")
    assert (await viewer.get(path)).status == 200
    assert (await viewer.post(f"{path}/resolve")).status == 403
    assert (await viewer.post(f"{path}/messages", {"text": "x"})).status == 403
    assert (await messaging.anonymous().get(path)).status == 401
