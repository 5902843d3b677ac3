"""Replies, and what becomes of them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.ai import DraftApproved, Verdict
from flotilla.events.messaging import (
    MessageDelivered,
    MessageFailed,
    MessageRead,
    MessageSendRequested,
    MessageSent,
    MessageUnconfirmed,
)
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.simulators.channel import Channel

Received = Callable[..., Awaitable[UUID]]
Reached = Callable[[str, str], Awaitable[dict[str, Any]]]
Reply = Callable[..., Awaitable[UUID]]


@pytest.fixture
def replied(people: Client, received: Received) -> Reply:
    """`await replied()`: a member answered the customer; the message's id."""

    async def reply(text: str = "On its way") -> UUID:
        conversation_id = await received()
        answer = await people.post(f"/v1/conversations/{conversation_id}/messages", {"text": text})
        assert answer.status == 201, answer.body
        return UUID(answer.json()["id"])

    return reply


async def test_a_reply_is_asked_of_the_channel(
    messaging: Harness, org: UUID, channel: Channel, people: Client, received: Received
) -> None:
    conversation_id = await received()
    answer = await people.post(f"/v1/conversations/{conversation_id}/messages", {"text": "Hi Iryna"})
    assert (answer.status, answer.json()["state"], answer.json()["position"]) == (201, "queued", 2)
    asked = await messaging.spy.expect(MessageSendRequested, lambda event: event.org == org)
    assert (asked.data.chat, asked.data.text, asked.data.send_number) == (channel.chat, "Hi Iryna", 1)
    assert asked.data.author == f"user:{people.user_id}"
    assert asked.data.responds_to_at is not None
    shown = (await people.get(answer.headers["Location"])).json()
    assert shown["text"] == "Hi Iryna"
    found = (await people.get(f"/v1/conversations/{conversation_id}")).json()
    assert (found["unanswered_since"], found["last_message"]["text"]) == (None, "Hi Iryna")


async def test_a_repeated_request_is_the_same_reply(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}/messages"
    key = {"Idempotency-Key": "reply-1"}
    first = await people.post(path, {"text": "once"}, headers=key)
    again = await people.post(path, {"text": "once"}, headers=key)
    other = await people.post(path, {"text": "another"}, headers=key)
    assert (first.status, again.status, other.status) == (201, 201, 422)
    assert first.json() == again.json()
    await messaging.app.db.execute("DELETE FROM idempotency_keys")
    assert (await people.post(path, {"text": "once"}, headers=key)).status == 409
    await messaging.app.db.execute("DELETE FROM idempotency_keys")
    assert len(messaging.spy.of(MessageSendRequested, org)) == 1
    assert (await people.get(f"/v1/messages/{first.json()['id']}")).json()["text"] == "once"


async def test_a_body_left_by_a_request_that_failed_is_not_taken_for_another_text(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    """The first request dies between its body and its row; the person edits, the client reuses the key."""
    path = f"/v1/conversations/{await received()}/messages"
    key = {"Idempotency-Key": "reply-1"}
    async with messaging.app.db.transaction(org) as tx:
        lock = f"{org}:user:{people.user_id}:POST {path.replace(path.split('/')[3], '{conversation_id}')}"
        await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{lock}\nreply-1")
        assert (await people.post(path, {"text": "first words"}, headers=key)).status == 409
    sent = await people.post(path, {"text": "better words"}, headers=key)
    assert (await people.get(sent.headers["Location"])).json()["text"] == "better words"


async def test_what_cannot_be_sent_is_refused(people: Client, received: Received) -> None:
    path = f"/v1/conversations/{await received()}/messages"
    for text in ("", "   ", "a\u0000b", "x" * 4097):
        refused = await people.post(path, {"text": text})
        assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/text")
    assert (await people.get(path)).json()["items"][0]["position"] == 1


async def test_receipts_come_early_and_the_states_come_in_order(
    messaging: Harness, org: UUID, channel: Channel, replied: Reply, reached: Reached
) -> None:
    message_id = await replied()
    await messaging.publish(channel.receipt(message_id, "delivered"), org=org)

    async def held() -> bool:
        found = await messaging.app.db.fetchval(
            "SELECT state FROM parked_events WHERE organization_id = $1", org
        )
        return bool(found == "waiting")

    await eventually(held)
    await messaging.publish(channel.sent(message_id), org=org)
    await reached(str(message_id), "delivered")
    sent = await messaging.spy.expect(MessageSent, lambda event: event.org == org)
    delivered = await messaging.spy.expect(MessageDelivered, lambda event: event.org == org)
    assert (sent.sequence, delivered.sequence) == (2, 3)
    assert (sent.data.external_id, delivered.data.external_id) == ("900", "900")
    assert sent.data.responds_to_at is not None
    await messaging.publish(channel.receipt(message_id, "read"), org=org)
    await messaging.publish(channel.failed(message_id), org=org)
    await reached(str(message_id), "read")
    seen = await messaging.spy.expect(MessageRead, lambda event: event.org == org)
    assert (seen.sequence, seen.data.message_id) == (4, message_id)


async def test_a_failed_reply_leaves_the_customer_waiting(
    messaging: Harness, org: UUID, channel: Channel, people: Client, replied: Reply, reached: Reached
) -> None:
    message_id = await replied()
    await messaging.publish(channel.failed(message_id), org=org)
    failed = await reached(str(message_id), "failed")
    assert failed["reason"] == "The customer blocked the bot."
    await messaging.spy.expect(MessageFailed, lambda event: event.org == org)
    found = (await people.get("/v1/conversations")).json()["items"][0]
    assert found["unanswered_since"] is not None


async def test_facts_of_another_account_change_nothing(
    messaging: Harness, org: UUID, channel: Channel, people: Client, replied: Reply, reached: Reached
) -> None:
    message_id = await replied()
    stranger = Channel(new_id())
    await messaging.publish(stranger.failed(message_id), org=org)
    await messaging.publish(channel.failed(message_id), org=new_id())
    await messaging.publish(channel.sent(message_id), org=org)
    await reached(str(message_id), "sent")


async def test_an_unconfirmed_send_waits_for_a_person(
    messaging: Harness, org: UUID, channel: Channel, people: Client, replied: Reply, reached: Reached
) -> None:
    message_id = await replied("Your parcel left today")
    path = f"/v1/messages/{message_id}/resolution"
    assert (await people.post(path, {"outcome": "send_again"})).status == 409
    await messaging.publish(channel.unconfirmed(message_id), org=org)
    await reached(str(message_id), "unknown")
    await messaging.spy.expect(MessageUnconfirmed, lambda event: event.org == org)
    again = await people.post(path, {"outcome": "send_again"})
    assert (again.status, again.json()["state"]) == (200, "queued")

    async def asked_twice() -> bool:
        return len(messaging.spy.of(MessageSendRequested, org)) == 2

    await eventually(asked_twice)
    first, second = messaging.spy.of(MessageSendRequested, org)
    assert (second.data.text, second.data.send_number) == ("Your parcel left today", 2)
    assert second.data.message_id == first.data.message_id == message_id
    await messaging.publish(channel.unconfirmed(message_id), org=org)
    await reached(str(message_id), "unknown")
    assert (await people.post(path, {"outcome": "sent"})).json()["state"] == "sent"
    assert (await people.post(path, {"outcome": "failed"})).status == 409


async def test_a_person_says_that_it_was_not_sent(
    messaging: Harness, org: UUID, channel: Channel, people: Client, replied: Reply, reached: Reached
) -> None:
    message_id = await replied()
    await messaging.publish(channel.unconfirmed(message_id), org=org)
    await reached(str(message_id), "unknown")
    said = await people.post(f"/v1/messages/{message_id}/resolution", {"outcome": "failed"})
    assert (said.json()["state"], said.json()["reason"]) == ("failed", "A person said that it was not sent.")
    found = (await people.get("/v1/conversations")).json()["items"][0]
    assert found["unanswered_since"] is not None


async def test_an_approved_draft_is_sent_once(
    messaging: Harness, org: UUID, channel: Channel, people: Client, received: Received
) -> None:
    conversation_id = await received()
    decided = datetime.now(UTC)
    draft = DraftApproved(
        draft_id=new_id(),
        message_id=channel.writes(1).message_id,
        conversation_id=conversation_id,
        account_id=channel.account_id,
        identity_id=channel.identity_id,
        contact_id=None,
        agent="support",
        provider="local",
        text="It left on Monday.",
        confidence=0.9,
        citations=[],
        verdict=Verdict(allowed=True, reasons=[]),
        state="approved",
        reason=None,
        generated_at=decided,
        decided_at=decided,
        decided_by=f"user:{people.user_id}",
        edited=False,
    )
    for _ in range(3):
        await messaging.publish(draft, org=org)
    asked = await messaging.spy.expect(MessageSendRequested, lambda event: event.org == org)
    assert (asked.data.draft_id, asked.data.author) == (draft.draft_id, f"user:{people.user_id}")
    await received("thanks", 2)
    shown = (await people.get(f"/v1/conversations/{conversation_id}/messages?direction=newer")).json()
    assert [each["text"] for each in shown["items"]] == ["Hello", "It left on Monday.", "thanks"]
    assert len(messaging.spy.of(MessageSendRequested, org)) == 1
