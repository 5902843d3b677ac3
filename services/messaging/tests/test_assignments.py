"""Conversations that other services want assigned."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.messaging import (
    ConversationAssigned,
    ConversationAssignFailed,
    ConversationAssignRequested,
)
from flotilla.ids import new_id
from flotilla.testing import Client, Harness

Received = Callable[..., Awaitable[UUID]]
Member = Callable[..., Awaitable[UUID]]


async def ask(messaging: Harness, org: UUID, **fields: Any) -> ConversationAssignRequested:
    wish = ConversationAssignRequested(request_id=new_id(), **fields)
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="rule:1")
    await messaging.publish(wish, org=org, cause=cause)
    return wish


async def answer(messaging: Harness, wish: ConversationAssignRequested, type_: Any) -> Any:
    return await messaging.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


async def test_a_rule_assigns_a_conversation_and_is_answered_once(
    messaging: Harness, org: UUID, people: Client, received: Received, member: Member
) -> None:
    conversation_id, anna = await received(), await member()
    wish = await ask(messaging, org, conversation_id=conversation_id, assignee_id=anna)
    given = await answer(messaging, wish, ConversationAssigned)
    assert (given.data.assignee_id, given.data.changed["assignee_id"]) == (anna, [None, str(anna)])
    shown = (await people.get(f"/v1/conversations/{conversation_id}")).json()
    assert shown["assignee_id"] == str(anna)
    # The same wish as another event is answered already; another wish for what is so is answered too.
    await messaging.publish(wish, org=org)
    again = await ask(messaging, org, conversation_id=conversation_id, assignee_id=anna)
    told = await answer(messaging, again, ConversationAssigned)
    assert (told.data.changed, told.sequence) == ({}, given.sequence)
    assert len(messaging.spy.of(ConversationAssigned, org)) == 2


async def test_what_cannot_be_assigned_is_refused(
    messaging: Harness, org: UUID, received: Received, member: Member
) -> None:
    conversation_id, viewer = await received(), await member("viewer")
    for fields, reason in (
        ({"conversation_id": new_id(), "assignee_id": None}, "unknown_conversation"),
        ({"conversation_id": conversation_id, "assignee_id": new_id()}, "unknown_assignee"),
        ({"conversation_id": conversation_id, "assignee_id": viewer}, "unknown_assignee"),
    ):
        wish = await ask(messaging, org, **fields)
        assert (await answer(messaging, wish, ConversationAssignFailed)).data.reason == reason
    assert not messaging.spy.of(ConversationAssigned, org)
