"""Lists of what the AI wrote, noticed and knows, in every order that they offer."""

from typing import Any
from uuid import UUID

from flotilla.events.ai import DraftGenerated
from flotilla.ids import new_id
from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_list, check_orders

from services.ai.tests.conftest import Writes

MANY = 5
NOTICED = {
    "policy_violations": (
        "rule, action, conversation_id, draft_id, places",
        "'a', 'masked', $2::uuid, $2::uuid, '[]'",
    ),
    "insights": (
        "conversation_id, message_id, identity_id, kind, topic, confidence, evidence",
        "$2::uuid, $2::uuid, $2::uuid, 'buying_signal', row_number() OVER (), 0.5, '[]'",
    ),
    "qualifications": ("conversation_id, identity_id", "id, $2::uuid"),
    "summaries": (
        "conversation_id, identity_id, position, text, language, intents, messages, provider",
        "$2::uuid, $2::uuid, row_number() OVER (), 'Tea', 'en', '{}', 1, 'local'",
    ),
}
"""Table → columns and their values."""


async def test_drafts_in_every_order(ai: Harness, org: UUID, member: Client, writes: Writes) -> None:
    for position in range(1, MANY + 1):
        await _drafted(ai, (await writes("Hello", position)).message_id)
    assert await check_orders("ai", member, {}, only={"list_drafts"}) == ["list_drafts"]
    several = (await member.get("/v1/drafts?state=generated&state=failed")).json()["items"]
    assert len(several) == MANY
    assert {each["state"] for each in several} == {"generated", "failed"}


async def test_every_order_of_every_other_list(ai: Harness, org: UUID, owner: Client) -> None:
    for name in NAMES:
        await _made(
            owner, "/v1/knowledge/sources", {"title": name, "text": "Standard shipping costs 4.90 EUR."}
        )
        await _made(owner, "/v1/ai/policies", {"name": name, "phrases": ["best price"]})
    conversation_id = new_id()
    await _noticed(ai, org, conversation_id)
    walked = await check_orders("ai", owner, {}, without={"list_drafts", "list_summaries"})
    assert len(walked) == 5, walked
    orders = ["-created_at", "created_at"]
    await check_list(owner, "/v1/summaries", orders, conversation_id=str(conversation_id))


async def _drafted(ai: Harness, message_id: UUID) -> None:
    await ai.spy.expect(DraftGenerated, lambda event: event.data.message_id == message_id)


async def _made(client: Client, path: str, body: Any) -> None:
    answer = await client.post(path, body)
    assert answer.status == 201, answer.body


async def _noticed(ai: Harness, org: UUID, conversation_id: UUID) -> None:
    """How it comes about is tested elsewhere."""
    async with ai.app.db.transaction(org) as tx:
        for table, (columns, values) in NOTICED.items():
            await tx.execute(
                f"INSERT INTO {table} (organization_id, id, {columns})"
                f" SELECT $1::uuid, id, {values} FROM unnest($3::uuid[]) AS id",
                org,
                conversation_id,
                [new_id() for _ in range(MANY)],
            )
