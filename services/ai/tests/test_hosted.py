"""Drafts by a hosted model, asked over its real interface."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.events.ai import DraftFailed, DraftGenerated, UsageRecorded
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_ai.domain.knowledge import KnowledgeIndex
from flotilla_ai.providers.base import ProviderError, Question
from flotilla_ai.providers.network import guarded_client
from flotilla_ai.providers.openai_compatible import OpenAiCompatible

from services.ai.tests.conftest import Writes, received
from services.ai.tests.model_server import ModelServer, calls, says
from services.ai.tests.test_drafts import failed, generated

Chosen = Callable[..., Awaitable[None]]


@pytest.fixture
def chosen(owner: Client, model: ModelServer) -> Chosen:
    """`await chosen()`: the organization has chosen the hosted model."""

    async def choose(base_url: str | None = None) -> None:
        settings = {
            "provider": "openai_compatible",
            "base_url": base_url or model.base_url,
            "model": "test-model",
            "api_key": "sk-secret",
        }
        answer = await owner.put("/v1/ai/settings", settings)
        assert answer.status == 200, answer.body

    return choose


async def test_a_hosted_model_searches_and_cites(
    ai: Harness, org: UUID, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()

    def answering(body: dict[str, Any]) -> list[dict[str, Any]]:
        if body["messages"][-1]["role"] == "user":
            return calls("search_knowledge", '{"query": "opening hours Monday"}')
        number = msgspec.json.decode(body["messages"][-1]["content"])[0]["number"]
        return says(f"Hello! We are open Monday to Friday from 9:00 to 18:00 [{number}].")

    model.answering = answering
    message = await writes("Could I drop by? Please ring +44 20 7946 0958, Iryna Bond")
    draft = await generated(ai, message.message_id)
    assert draft.text == "Hello! We are open Monday to Friday from 9:00 to 18:00."
    assert (draft.provider, draft.verdict.reasons) == ("openai_compatible", [])
    assert [citation.source_id for citation in draft.citations] == [knowledge]
    assert "9:00 to 18:00" in draft.citations[0].quote
    assert model.keys[0] == "Bearer sk-secret"
    assert model.requests[0]["stream"] is True
    sent = msgspec.json.encode(model.requests).decode()
    assert "[PHONE_1]" in sent
    assert "7946" not in sent
    assert "Bond" not in sent

    async def told() -> bool:
        return any(event.data.provider != "local" for event in ai.spy.of(UsageRecorded, org))

    await eventually(told)
    used = next(event.data for event in ai.spy.of(UsageRecorded, org))
    assert (used.input_tokens, used.output_tokens, used.model) == (200, 40, "test-model")
    left = await ai.app.db.fetch("SELECT kind FROM jobs WHERE key = $1", str(draft.draft_id))
    assert [row["kind"] for row in left] == ["draft_deadline"], "the customer's words are gone"


async def test_values_come_back_only_to_whom_they_belong(
    ai: Harness, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.answering = lambda body: says("We will call you at [PHONE_1], is that right?")
    message = await writes("How much is shipping? Call +44 20 7946 0958")
    draft = await generated(ai, message.message_id)
    assert draft.text == "We will call you at +44 20 7946 0958, is that right?"
    assert draft.verdict.reasons == ["low_confidence"]
    model.answering = lambda body: says("Call our other customer at +44 20 7946 0123, please?")
    other = await writes("And shipping to Wales?", 2)
    refused = await failed(ai, other.message_id)
    assert (refused.reason, refused.text) == ("refused_by_supervisor", None)
    assert "personal_data" in refused.verdict.reasons


async def test_promises_without_a_source_are_refused(
    ai: Harness, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.answering = lambda body: says("Of course, you get a 25% discount on shipping [1].")
    refused = await failed(ai, (await writes("How much is shipping?")).message_id)
    assert (refused.reason, refused.verdict.reasons) == ("refused_by_supervisor", ["uncited_promise"])


async def test_a_model_remembers_the_conversation(
    ai: Harness, member: Client, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.answering = lambda body: says("Standard shipping costs 4.90 EUR [1].")
    first = await generated(ai, (await writes("How much is shipping?")).message_id)
    assert (await member.post(f"/v1/drafts/{first.draft_id}/approve")).status == 200
    await generated(ai, (await writes("And how much is shipping of two?", 2)).message_id)
    said = [(message["role"], message["content"]) for message in model.requests[-1]["messages"][1:]]
    assert said == [
        ("user", "How much is shipping?"),
        ("assistant", "Standard shipping costs 4.90 EUR."),
        ("user", "And how much is shipping of two?"),
    ]


async def test_a_model_that_is_away_is_replaced(
    ai: Harness, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.status = 401
    draft = await generated(ai, (await writes("How much is shipping?")).message_id)
    assert (draft.provider, draft.citations[0].source_id) == ("local", knowledge)
    unknown = await failed(ai, (await writes("What is the capital of Peru?", 2)).message_id)
    assert (unknown.reason, unknown.provider) == ("provider_unavailable", "openai_compatible")


async def test_a_model_that_fails_again_and_again_is_given_a_rest(
    ai: Harness, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.status, model.headers = 500, {"x-should-retry": "false"}
    for number in range(1, 8):
        draft = await generated(ai, (await writes("How much is shipping?", number)).message_id)
        assert draft.provider == "local"
    assert len(model.requests) == 5


async def test_a_model_that_knows_nothing_says_so(
    ai: Harness, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    assert (await failed(ai, (await writes("Shipping to Mars?")).message_id)).reason == "nothing_known"


async def test_a_busy_model_is_asked_again(
    ai: Harness, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.status, model.headers = 429, {"Retry-After": "0.6", "x-should-retry": "false"}
    message = await writes("How much is shipping?")

    async def asked() -> bool:
        return bool(model.requests)

    await eventually(asked)
    model.status = 200
    model.answering = lambda body: says("Standard shipping costs 4.90 EUR [1].")
    assert (await generated(ai, message.message_id)).provider == "openai_compatible"


@pytest.fixture
async def hasty(start_service: StartService) -> AsyncIterator[Harness]:
    """A replica on stores of its own, with little patience."""
    patience = {"ai_draft_deadline_seconds": 0.3, "ai_decide_within_seconds": 1.2}
    async with start_service("ai", ai_private_providers=True, **patience) as running:
        yield running


async def test_a_deadline_ends_the_waiting(hasty: Harness, org: UUID, model: ModelServer) -> None:
    """A slow model's draft fails at its deadline, and what the model says later changes nothing."""
    model.released = asyncio.Event()
    model.answering = lambda body: says("Hello, how can we help you?")
    settings = {"provider": "openai_compatible", "base_url": model.base_url, "model": "m"}
    assert (await hasty.client(org).put("/v1/ai/settings", settings)).status == 200
    slow = received("How much is it?", 1, *_ids(org))
    await hasty.publish(slow, org=org)
    ended = await hasty.spy.expect(DraftFailed, lambda event: event.data.message_id == slow.message_id)
    assert (ended.data.reason, ended.sequence) == ("deadline_passed", 2)
    model.released.set()

    async def done() -> bool:
        return bool(await hasty.app.db.fetchval("SELECT count(*) = 0 FROM jobs WHERE kind = 'draft'"))

    await eventually(done)
    assert not hasty.spy.of(DraftGenerated, org)


async def test_an_undecided_draft_grows_too_old(hasty: Harness, org: UUID) -> None:
    message = received("Hello", 1, *_ids(org))
    await hasty.publish(message, org=org)
    draft = await hasty.spy.expect(DraftGenerated, lambda event: event.org == org)
    ended = await hasty.spy.expect(DraftFailed, lambda event: event.org == org)
    assert (ended.data.draft_id, ended.data.reason) == (draft.data.draft_id, "undecided")
    assert ended.envelope.correlationid == draft.envelope.correlationid
    refused = await hasty.client(org).post(f"/v1/drafts/{draft.data.draft_id}/approve")
    assert refused.status == 409


async def test_private_addresses_are_not_connected_to(model: ModelServer) -> None:
    """However the name of a private address got into the settings, no connection is made."""
    question = Question("?", "en", "sales", "formal", "other", False, (), ())
    async with guarded_client(5, private=False) as http:
        provider = OpenAiCompatible(http, base_url=model.base_url, model="m", api_key="k", seconds=5)
        with pytest.raises(ProviderError):
            await provider.answer(question, lambda query: KnowledgeIndex.empty().search(query))  # type: ignore[arg-type]
    assert not model.requests


def _ids(org: UUID) -> tuple[UUID, UUID, UUID]:
    return org, org, org
