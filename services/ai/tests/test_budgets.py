"""A budget that is used up: the hosted model rests, customers are answered here, and the draft says why."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.events.billing import EntitlementChanged, UsageLimitReached
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla_ai.library import Library

from services.ai.tests.conftest import Writes
from services.ai.tests.model_server import ModelServer, says
from services.ai.tests.test_drafts import failed, generated
from services.ai.tests.test_hosted import Chosen, chosen

__all__ = ["chosen"]


def entitlement(**fields: Any) -> dict[str, Any]:
    """500 requests a month, all of them used."""
    now = datetime.now(UTC)
    given = {
        "entitlement_id": new_id(),
        "feature": "ai_requests",
        "enabled": True,
        "limit": 500,
        "used": 500,
        "beyond": "block",
        "period_started_at": now,
        "period_ends_at": now + timedelta(days=9),
    }
    return {**given, **fields}


async def over_budget(ai: Harness, org: UUID, expected: bool) -> None:
    """Wait until ai knows."""
    library: Library = ai.app.own.library

    async def known() -> bool:
        return (await library.of(ai.app, [org]))[org].is_over_budget is expected

    await eventually(known, what="the budget is known")


async def kept(ai: Harness, org: UUID, used_up: dict[str, bool]) -> None:
    """Wait until this stands of each feature."""

    async def stands() -> bool:
        async with ai.app.db.transaction(org) as tx:
            rows = await tx.fetch("SELECT feature, used_up FROM budgets")
        found = {row["feature"]: row["used_up"] for row in rows}
        assert found == used_up or len(found) < len(used_up), found
        return found == used_up

    await eventually(stands)


async def test_a_budget_used_up_is_answered_here_and_the_draft_says_so(
    ai: Harness, org: UUID, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.answering = lambda body: says("Standard shipping costs 4.90 EUR [1].")
    told = entitlement()
    await ai.publish(UsageLimitReached(**told, percent=100, blocked=True), org=org, sequence=7)
    await over_budget(ai, org, True)
    draft = await generated(ai, (await writes("How much is shipping?")).message_id)
    assert (draft.provider, draft.reason, draft.citations[0].source_id) == (
        "local",
        "budget_used_up",
        knowledge,
    )
    nothing = await failed(ai, (await writes("What is the capital of Peru?", 2)).message_id)
    assert (nothing.provider, nothing.reason) == ("local", "budget_used_up")
    assert model.requests == []

    late = entitlement(entitlement_id=told["entitlement_id"], used=1)
    await ai.publish(EntitlementChanged(**late), org=org, sequence=6)  # of before, late
    after = entitlement(feature="ai_tokens", used=0)
    await ai.publish(EntitlementChanged(**after), org=org, sequence=1)
    await kept(ai, org, {"ai_requests": True, "ai_tokens": False})
    raised = entitlement(entitlement_id=told["entitlement_id"], limit=20_000, beyond="overage")
    await ai.publish(EntitlementChanged(**raised), org=org, sequence=8)
    await over_budget(ai, org, False)
    draft = await generated(ai, (await writes("How much is shipping to you?", 3)).message_id)
    assert (draft.provider, draft.reason) == ("openai_compatible", None)


async def test_overage_goes_on_and_a_new_month_begins_anew(
    ai: Harness, org: UUID, writes: Writes, knowledge: UUID, model: ModelServer, chosen: Chosen
) -> None:
    await chosen()
    model.answering = lambda body: says("Standard shipping costs 4.90 EUR [1].")
    charged = entitlement(beyond="overage", used=501, feature="ai_tokens")
    await ai.publish(UsageLimitReached(**charged, percent=100, blocked=False), org=org)
    ended = entitlement(period_ends_at=datetime.now(UTC) - timedelta(seconds=1))
    await ai.publish(UsageLimitReached(**ended, percent=100, blocked=True), org=org)

    await kept(ai, org, {"ai_requests": True, "ai_tokens": False})
    draft = await generated(ai, (await writes("How much is shipping?")).message_id)
    assert (draft.provider, draft.reason) == ("openai_compatible", None)


async def test_without_a_hosted_model_a_budget_changes_nothing(
    ai: Harness, org: UUID, writes: Writes, knowledge: UUID
) -> None:
    await ai.publish(UsageLimitReached(**entitlement(), percent=100, blocked=True), org=org)
    await over_budget(ai, org, True)
    draft = await generated(ai, (await writes("How much is shipping?")).message_id)
    assert (draft.provider, draft.reason) == ("local", None)
