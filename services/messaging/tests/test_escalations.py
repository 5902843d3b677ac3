"""Conversations that need a person."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events.auth import TeamCreated
from flotilla.events.messaging import (
    ConversationEscalated,
    ConversationEscalateFailed,
    ConversationEscalateRequested,
    ConversationReopened,
    ConversationUpdated,
)
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.simulators.channel import Channel

Received = Callable[..., Awaitable[UUID]]
Member = Callable[..., Awaitable[UUID]]


async def ask(messaging: Harness, org: UUID, **fields: Any) -> ConversationEscalateRequested:
    given: dict[str, Any] = {"reason": "complaint", "summary": "The parcel is broken"}
    wish = ConversationEscalateRequested(request_id=new_id(), **given | fields)
    await publish(messaging, org, wish)
    return wish


async def publish(messaging: Harness, org: UUID, wish: ConversationEscalateRequested) -> None:
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="ai:support")
    await messaging.publish(wish, org=org, cause=cause)


async def answer(messaging: Harness, wish: ConversationEscalateRequested, type_: Any) -> Any:
    return await messaging.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


async def team(messaging: Harness, org: UUID) -> UUID:
    """A team that messaging knows."""
    team_id = new_id()
    told = TeamCreated(
        team_id=team_id,
        name="Support",
        skills=[],
        distribution="round_robin",
        sticky=False,
        time_zone="UTC",
        hours=[],
        state="active",
    )
    await messaging.publish(told, org=org, sequence=1)

    async def known() -> bool:
        async with messaging.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT true FROM teams WHERE id = $1", team_id))

    await eventually(known)
    return team_id


async def test_the_ai_asks_for_a_person_and_is_answered_once(
    messaging: Harness, org: UUID, people: Client, received: Received, member: Member
) -> None:
    conversation_id, anna, support = await received(), await member(), await team(messaging, org)
    await people.patch(f"/v1/conversations/{conversation_id}", {"assignee_id": str(anna)})
    wish = await ask(messaging, org, conversation_id=conversation_id, priority="high", team_id=support)
    told = await answer(messaging, wish, ConversationEscalated)
    assert (told.data.escalation_id, told.data.escalated_by) == (wish.request_id, "ai:support")
    assert (told.data.summary, told.data.priority) == ("The parcel is broken", "high")
    assert told.data.changed == {"escalation_id": [None, str(wish.request_id)]}
    notice = await messaging.spy.expect(NotificationRequested, lambda event: event.org == org)
    assert (notice.data.user_id, notice.data.kind) == (anna, "conversation.escalated")
    # Asked for again: its place stays, and it is as urgent as anybody says.
    await publish(messaging, org, wish)
    again = await ask(messaging, org, conversation_id=conversation_id, priority="urgent", summary="x")
    more = await answer(messaging, again, ConversationEscalated)
    assert (more.data.escalation_id, more.data.priority) == (wish.request_id, "urgent")
    assert (more.data.summary, more.sequence) == ("The parcel is broken", told.sequence + 1)
    less = await ask(messaging, org, conversation_id=conversation_id, priority="low")
    assert (await answer(messaging, less, ConversationEscalated)).sequence == more.sequence
    assert len(messaging.spy.of(ConversationEscalated, org)) == 3
    assert len(messaging.spy.of(NotificationRequested, org)) == 1
    waiting = (await people.get(f"/v1/escalations?team_id={support}")).json()["items"]
    assert [(each["id"], each["priority"]) for each in waiting] == [(str(wish.request_id), "urgent")]
    assert (await people.get("/v1/escalations?priority=low")).json()["items"] == []


async def test_what_nobody_can_take_is_refused(messaging: Harness, org: UUID, received: Received) -> None:
    conversation_id = await received()
    for fields, reason in (
        ({"conversation_id": new_id()}, "unknown_conversation"),
        ({"conversation_id": conversation_id, "team_id": new_id()}, "unknown_team"),
        ({"conversation_id": conversation_id, "priority": "now"}, "unknown_priority"),
    ):
        wish = await ask(messaging, org, **fields)
        assert (await answer(messaging, wish, ConversationEscalateFailed)).data.reason == reason
    stranger = await ask(messaging, new_id(), conversation_id=conversation_id)
    assert (
        await answer(messaging, stranger, ConversationEscalateFailed)
    ).data.reason == "unknown_conversation"
    assert not messaging.spy.of(ConversationEscalated, org)


async def test_the_queue_is_in_order_and_handed_back_or_resolved_leaves_it(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    ids = [await received(to=Channel(new_id(), str(number))) for number in range(3)]
    for conversation_id in ids:
        shown = await people.post(f"/v1/conversations/{conversation_id}/escalate", {"summary": "Look"})
        assert shown.status == 200, shown.body
    first = (await people.get("/v1/escalations?limit=2")).json()
    rest = (await people.get(f"/v1/escalations?cursor={first['next_cursor']}")).json()
    listed = [each["conversation_id"] for each in first["items"] + rest["items"]]
    assert listed == [str(each) for each in ids]
    path = f"/v1/conversations/{ids[0]}"
    back = await people.post(f"{path}/hand-back")
    assert (back.status, back.json()["escalation_id"]) == (200, None)
    assert (await people.post(f"{path}/hand-back")).json()["sequence"] == back.json()["sequence"]
    told = await messaging.spy.expect(ConversationUpdated, lambda event: event.org == org)
    assert told.data.changed["escalation_id"][1] is None
    await people.post(f"/v1/conversations/{ids[1]}/resolve")
    left = (await people.get("/v1/escalations")).json()["items"]
    assert [each["conversation_id"] for each in left] == [str(ids[2])]
    # What was resolved is open again where a person is asked for, by another escalation.
    await people.post(f"/v1/conversations/{ids[1]}/escalate", {})
    reopened = await messaging.spy.expect(ConversationReopened, lambda event: event.org == org)
    last = await messaging.spy.expect(
        ConversationEscalated, lambda event: event.org == org and event.sequence == reopened.sequence + 1
    )
    assert (last.data.state, last.data.conversation_id) == ("open", ids[1])


@pytest.mark.parametrize(
    "body", [{"priority": "now"}, {"reason": "No Slug"}, {"team_id": str(new_id())}, {"summary": "a\x00"}]
)
async def test_what_cannot_be_asked_for(people: Client, received: Received, body: dict[str, Any]) -> None:
    refused = await people.post(f"/v1/conversations/{await received()}/escalate", body)
    assert (refused.status, refused.headers["Content-Type"]) == (422, "application/problem+json")


async def test_escalations_are_the_organizations_own(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}"
    await people.post(f"{path}/escalate", {})
    stranger = messaging.client(new_id())
    assert (await stranger.post(f"{path}/escalate", {})).status == 404
    assert (await stranger.post(f"{path}/hand-back")).status == 404
    assert (await stranger.get("/v1/escalations")).json()["items"] == []
    assert (await messaging.client(org, "viewer").post(f"{path}/escalate", {})).status == 403
