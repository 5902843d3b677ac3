"""Customers who write, and the team that answers some of them."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from flotilla.seed.channels import Simulators
from flotilla.seed.content import Conversation
from flotilla.seed.gateway import Gateway, SeedError
from flotilla.seed.patience import within

ARRIVED_SECONDS: Final = 10.0
DRAFTED_SECONDS: Final = 8.0


async def write(owner: Gateway, simulators: Simulators, wanted: Sequence[Conversation]) -> dict[str, str]:
    """Have those customers write who have not: the new conversations' ids by customer."""
    known = await _by_customer(owner)
    fresh = [each for each in wanted if each.customer not in known]
    await asyncio.gather(*(simulators.deliver(owner.http, each) for each in fresh))

    async def arrived() -> dict[str, dict[str, Any]] | None:
        found = await _by_customer(owner)
        complete = all(
            each.customer in found and found[each.customer]["last_position"] >= len(each.messages)
            for each in fresh
        )
        return found if complete else None

    if not fresh:
        return {}
    found = await within(ARRIVED_SECONDS, arrived)
    if found is None:
        raise SeedError("What the demo's customers wrote did not all become conversations in time.")
    return {each.customer: found[each.customer]["id"] for each in fresh}


async def answer(owner: Gateway, conversation_id: str, then: str) -> bool:
    """Approve the draft, and resolve where the team is done; False where no draft came in time."""

    async def drafted() -> str | None:
        drafts = await owner.every(f"/v1/drafts?conversation_id={conversation_id}&state=generated")
        return next((draft["id"] for draft in drafts), None)

    draft_id = await within(DRAFTED_SECONDS, drafted)
    if draft_id is None:
        return False
    await owner.post(f"/v1/drafts/{draft_id}/approve", {}, once=f"seed approval {draft_id}")
    if then == "resolve":
        await _resolve(owner, conversation_id)
    return True


async def _resolve(owner: Gateway, conversation_id: str) -> None:
    """Once the answer is on its way; before, it would find the conversation closed."""

    async def sent() -> bool:
        messages = await owner.get(f"/v1/conversations/{conversation_id}/messages")
        return any(each["direction"] == "out" and each["state"] == "sent" for each in messages["items"])

    if await within(ARRIVED_SECONDS, sent):
        await owner.post(f"/v1/conversations/{conversation_id}/resolve")


async def _by_customer(owner: Gateway) -> dict[str, dict[str, Any]]:
    return {each["customer_name"]: each for each in await owner.every("/v1/conversations")}
