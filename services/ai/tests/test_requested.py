"""Replies that somebody asks for, and what becomes of replies and conversations."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events.ai import (
    ConversationSummarized,
    DraftFailed,
    DraftGenerated,
    DraftRequested,
    DraftSent,
    MessageAnalyzed,
)
from flotilla.events.messaging import ConversationEscalateRequested, ConversationResolved, MessageSent
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually

from services.ai.tests.conftest import Writes
from services.ai.tests.model_server import ModelServer, says
from services.ai.tests.test_drafts import failed, generated
from services.ai.tests.test_hosted import Chosen, chosen

__all__ = ["chosen"]


async def ask(
    ai: Harness, org: UUID, conversation_id: UUID, instruction: str | None = None
) -> DraftRequested:
    wish = DraftRequested(request_id=new_id(), conversation_id=conversation_id, instruction=instruction)
    await publish(ai, org, wish)
    return wish


async def publish(ai: Harness, org: UUID, wish: DraftRequested) -> None:
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="rule:1")
    await ai.publish(wish, org=org, cause=cause)


async def answer(ai: Harness, wish: DraftRequested, type_: Any) -> Any:
    return await ai.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


async def test_a_reply_is_asked_for_and_answered_once(
    ai: Harness, org: UUID, member: Client, writes: Writes, knowledge: UUID
) -> None:
    message = await writes("Hello")
    first = await generated(ai, message.message_id)
    wish = await ask(ai, org, message.conversation_id, "How much is shipping?")
    told = await answer(ai, wish, DraftGenerated)
    assert (told.data.draft_id, told.data.message_id) == (wish.request_id, message.message_id)
    assert "4.90 EUR" in (told.data.text or "")
    assert (
        await failed(ai, message.message_id)
    ).draft_id == first.draft_id  # one waits for a person, not two
    await publish(ai, org, wish)
    other = await ask(ai, org, message.conversation_id, "What is the capital of Peru?")
    assert (await answer(ai, other, DraftFailed)).data.reason == "nothing_known"
    # What ended after it was offered was answered then: this is no second answer.
    ended = await ai.spy.expect(
        DraftFailed, lambda event: event.data.draft_id == wish.request_id and event.sequence == 2
    )
    assert (ended.data.reason, ended.envelope.requestid) == ("superseded", None)
    answers = [event for event in ai.spy.events if event.envelope.requestid == wish.request_id]
    assert len([event for event in answers if not isinstance(event.data, DraftRequested)]) == 1


async def test_a_reply_in_a_conversation_that_nobody_began(ai: Harness, org: UUID, writes: Writes) -> None:
    wish = await ask(ai, org, new_id())
    told = await answer(ai, wish, DraftFailed)
    assert (told.data.reason, told.data.message_id) == ("unknown_conversation", None)
    message = await writes("Hello")
    await generated(ai, message.message_id)
    stranger = await ask(ai, new_id(), message.conversation_id)
    assert (await answer(ai, stranger, DraftFailed)).data.reason == "unknown_conversation"


async def test_a_hosted_model_is_told_what_to_say(
    ai: Harness, org: UUID, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.answering = lambda _: says("Hello! Shipping costs 4.90 EUR [1].")
    message = await writes("How much is shipping? My number is +380 67 123 45 67")
    await generated(ai, message.message_id)
    wish = await ask(ai, org, message.conversation_id, "Mention the price of shipping, briefly")
    told = await answer(ai, wish, DraftGenerated)
    assert told.data.provider == "openai_compatible"
    asked = model.requests[-1]["messages"]
    assert "Mention the price of shipping, briefly" in asked[0]["content"]
    assert "[PHONE_1]" in asked[-1]["content"]
    assert "380" not in str(asked)


def sent_of(draft: Any, **more: Any) -> MessageSent:
    """That the reply of a draft went out."""
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "message_id": new_id(),
        "conversation_id": draft.conversation_id,
        "position": 2,
        "account_id": draft.account_id,
        "channel": "telegram",
        "identity_id": draft.identity_id,
        "contact_id": None,
        "author": "user:1",
        "draft_id": draft.draft_id,
        "state": "sent",
        "reason": None,
        "external_id": "9",
        "queued_at": now,
        "occurred_at": now,
        "responds_to_at": now,
    }
    return MessageSent(**fields | more)


async def test_a_draft_that_went_out_is_told_of_once(
    ai: Harness, org: UUID, member: Client, writes: Writes
) -> None:
    message = await writes("Hello")
    draft = await generated(ai, message.message_id)
    await ai.publish(sent_of(draft), org=new_id())  # another's
    await ai.publish(sent_of(draft, draft_id=None), org=org)
    await member.post(f"/v1/drafts/{draft.draft_id}/approve")
    sent = sent_of(draft)
    for _ in range(2):
        await ai.publish(sent, org=org)
    told = await ai.spy.expect(DraftSent, lambda event: event.org == org)
    assert (told.data.draft_id, told.data.sent_message_id) == (draft.draft_id, sent.message_id)
    assert (told.data.text, told.sequence) == (draft.text, 3)
    another = await writes("Thanks", 2)
    await generated(ai, another.message_id)
    assert len(ai.spy.of(DraftSent, org)) == 1


def resolved(message: Any) -> ConversationResolved:
    now = datetime.now(UTC)
    return ConversationResolved(
        conversation_id=message.conversation_id,
        channel="telegram",
        account_id=message.account_id,
        identity_id=message.identity_id,
        contact_id=None,
        state="resolved",
        assignee_id=None,
        snoozed_until=None,
        opened_at=now,
        resolved_at=now,
        ai_enabled=True,
    )


async def test_what_is_done_is_summarised(ai: Harness, org: UUID, member: Client, writes: Writes) -> None:
    first = await writes("My parcel 4711 has not arrived. The weather is nice. Call me on +380 67 123 45 67")
    draft = await ai.spy.expect(MessageAnalyzed, lambda event: event.data.message_id == first.message_id)
    second = await writes("The parcel was promised for Monday, and I need the parcel now", 2)
    await ai.spy.expect(MessageAnalyzed, lambda event: event.data.message_id == second.message_id)
    assert draft.data.conversation_id == first.conversation_id
    for _ in range(2):
        await ai.publish(resolved(first), org=org)
    told = await ai.spy.expect(ConversationSummarized, lambda event: event.org == org)
    text = told.data.text or ""
    assert "parcel" in text
    assert "380" not in text
    assert (told.data.position, told.data.messages, told.data.provider) == (2, 2, "local")
    # As it stands it was summarised; with another message it is anew.
    again = await member.post("/v1/summaries", {"conversation_id": str(first.conversation_id)})
    assert (again.status, again.json()["position"]) == (202, 2)
    third = await writes("It came, thank you", 3)
    await ai.spy.expect(MessageAnalyzed, lambda event: event.data.message_id == third.message_id)
    await member.post("/v1/summaries", {"conversation_id": str(first.conversation_id)})
    await ai.spy.expect(ConversationSummarized, lambda event: event.org == org and event.data.position == 3)
    path = f"/v1/summaries?conversation_id={first.conversation_id}"
    listed = (await member.get(path)).json()["items"]
    assert [each["position"] for each in listed] == [3, 2]
    assert (await member.get(f"/v1/summaries/{listed[0]['id']}")).json() == listed[0]
    stranger = ai.client(new_id())
    assert (await stranger.get(f"/v1/summaries/{listed[0]['id']}")).status == 404
    assert (await stranger.get(path)).json()["items"] == []
    unknown = await stranger.post("/v1/summaries", {"conversation_id": str(first.conversation_id)})
    assert unknown.status == 404
    assert (await member.post("/v1/summaries", {"conversation_id": "x"})).status == 422


async def test_a_hosted_model_writes_the_summary_and_a_broken_one_costs_nothing(
    ai: Harness, org: UUID, writes: Writes, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.answering = lambda _: says("The customer waits for a parcel.")
    message = await writes("Where is my parcel? I am Iryna Bond")
    await ai.spy.expect(MessageAnalyzed, lambda event: event.data.message_id == message.message_id)
    await ai.publish(resolved(message), org=org)
    told = await ai.spy.expect(ConversationSummarized, lambda event: event.org == org)
    assert (told.data.text, told.data.provider) == ("The customer waits for a parcel.", "openai_compatible")
    assert "Iryna" not in str([each["messages"][-1] for each in model.requests])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I want to speak to a human, please", "asked_for_person"),
        ("Ich möchte mit einem echten Menschen sprechen", "asked_for_person"),
        ("З'єднайте мене з оператором", "asked_for_person"),
        ("This is the worst service ever, I am going to complain, absolutely unacceptable!", "complaint"),
        ("How much is shipping?", None),
    ],
)
async def test_a_person_is_asked_for_where_one_is_needed(
    ai: Harness, org: UUID, writes: Writes, text: str, reason: str | None
) -> None:
    message = await writes(text)
    await ai.spy.expect(MessageAnalyzed, lambda event: event.data.message_id == message.message_id)
    later = await writes("Hello", 2)
    await generated(ai, later.message_id)

    async def asked() -> bool:
        found = [event.data.reason for event in ai.spy.of(ConversationEscalateRequested, org)]
        assert found == ([reason] if reason else []), found
        return True

    await eventually(asked)
