"""Messages that other services ask for."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events.messaging import MessageRefused, MessageRequested, MessageSendRequested
from flotilla.ids import new_id
from flotilla.testing import Client, Harness

Received = Callable[..., Awaitable[UUID]]


def wish(conversation_id: UUID, text: str | None = "Are you still there?") -> MessageRequested:
    return MessageRequested(request_id=new_id(), conversation_id=conversation_id, contact_id=None, text=text)


async def test_a_wish_is_queued_once_under_its_own_id(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    conversation_id = await received()
    asked = wish(conversation_id)
    cause = Cause.fresh(f"rule:{new_id()}")
    for _ in range(3):  # a wish that is published again as another event is the same wish
        await messaging.publish(asked, org=org, cause=cause)
    last = wish(conversation_id, "Hello?")
    await messaging.publish(last, org=org)
    await messaging.spy.expect(MessageSendRequested, lambda event: event.data.message_id == last.request_id)
    sends = messaging.spy.of(MessageSendRequested, org)
    assert [send.data.message_id for send in sends] == [asked.request_id, last.request_id]
    assert [send.data.author for send in sends] == [cause.actor, "service:test"]
    shown = (await people.get(f"/v1/messages/{asked.request_id}")).json()
    assert (shown["text"], shown["state"]) == ("Are you still there?", "queued")


@pytest.mark.parametrize(("text", "reason"), [(None, "empty"), (" ", "empty"), ("a" * 9000, "too_long")])
async def test_what_cannot_be_sent_is_refused(
    messaging: Harness, org: UUID, received: Received, text: str | None, reason: str
) -> None:
    asked = wish(await received(), text)
    await messaging.publish(asked, org=org)
    refused = await messaging.spy.expect(
        MessageRefused, lambda event: event.data.request_id == asked.request_id
    )
    assert refused.data.reason == reason
    assert not messaging.spy.of(MessageSendRequested, org)


async def test_another_organizations_conversation_is_unknown(
    messaging: Harness, org: UUID, received: Received
) -> None:
    asked = wish(await received())
    await messaging.publish(asked, org=new_id())
    refused = await messaging.spy.expect(
        MessageRefused, lambda event: event.data.request_id == asked.request_id
    )
    assert refused.data.reason == "unknown_conversation"
