"""The list of drafts in every order that it offers."""

from uuid import UUID

from flotilla.events.ai import DraftGenerated
from flotilla.testing import Client, Harness
from flotilla.testing.orders import check_orders

from services.ai.tests.conftest import Writes


async def test_every_order_of_every_list(ai: Harness, org: UUID, member: Client, writes: Writes) -> None:
    for position in range(1, 6):
        await _drafted(ai, (await writes("Hello", position)).message_id)
    assert await check_orders("ai", member, {}) == ["list_drafts"]
    several = (await member.get("/v1/drafts?state=generated&state=failed")).json()["items"]
    assert len(several) == 5
    assert {each["state"] for each in several} == {"generated", "failed"}


async def _drafted(ai: Harness, message_id: UUID) -> None:
    await ai.spy.expect(DraftGenerated, lambda event: event.data.message_id == message_id)
