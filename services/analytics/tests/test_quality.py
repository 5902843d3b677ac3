"""Quality: reviews are weighed and told, and it shows how far reviewers agree."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flotilla.events import messaging
from flotilla.events.analytics import QualityReviewed
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_analytics.domain.quality import Given, agreement, total

from services.analytics.tests.conftest import Events

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    """The service with all its loops, on Postgres search."""
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


async def criterion(client: Client, name: str, **more: Any) -> str:
    answer = await client.post("/v1/quality/criteria", {"name": name, **more})
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def conversation(analytics: Harness, org: UUID, events: Events, agent: UUID | None) -> str:
    """One that analytics has heard of."""
    opened = events.conversation(messaging.ConversationAssigned, assignee_id=agent)
    await analytics.publish(opened, org=org, sequence=1)

    async def known() -> bool:
        async with analytics.app.db.transaction(org) as tx:
            found = await tx.fetchval(
                "SELECT 1 FROM conversation_agents WHERE organization_id = $1 AND id = $2",
                org,
                opened.conversation_id,
            )
        return bool(found)

    await eventually(known, what="the conversation is known")
    return str(opened.conversation_id)


async def review(client: Client, conversation_id: str, scores: dict[str, int], **more: Any) -> dict[str, Any]:
    given = [{"criterion_id": id_, "score": score} for id_, score in scores.items()]
    answer = await client.post(
        "/v1/quality/reviews", {"conversation_id": conversation_id, "scores": given, **more}
    )
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def test_reviews_are_weighed_told_and_compared(analytics: Harness, org: UUID, events: Events) -> None:
    agent, ada, grace = new_id(), analytics.client(org), analytics.client(org, "team_owner")
    tone, facts = await criterion(ada, "Tone"), await criterion(ada, "Facts", weight=3, most=10)
    what = await conversation(analytics, org, events, agent)
    first = await review(ada, what, {tone: 5, facts: 5}, comment="Friendly")
    assert (first["score"], first["agent_id"]) == ("62.50", str(agent))
    event = await analytics.spy.expect(QualityReviewed, lambda event: event.org == org)
    assert (event.data.score, event.data.comment, event.data.reviewer_id) == (
        "62.50",
        "Friendly",
        ada.user_id,
    )
    assert {each.name: each.score for each in event.data.scores} == {"Tone": 5, "Facts": 5}
    await review(grace, what, {tone: 5, facts: 9})
    shown = (await ada.get(f"/v1/quality/conversations/{what}")).json()
    assert shown["overall"] == {"name": None, "reviews": 2, "average": "77.50", "spread": "30.00"}
    assert shown["criteria"][facts] == {"name": "Facts", "reviews": 2, "average": "70.00", "spread": "40.00"}
    assert shown["criteria"][tone]["spread"] == "0.00"
    query = f"from={NOW.date()}&to={NOW.date() + timedelta(days=2)}"
    over = (await ada.get(f"/v1/quality?{query}")).json()
    told = {each["reviewer_id"]: each["deviation"] for each in over["reviewers"]}
    assert told == {str(ada.user_id): "-15.00", str(grace.user_id): "15.00"}
    (judged,) = over["agents"]
    assert (judged["agent_id"], judged["average"], judged["conversations"]) == (str(agent), "77.50", 1)
    again = await review(ada, what, {tone: 5, facts: 9})
    assert again["id"] == first["id"]
    changed = await analytics.spy.expect(QualityReviewed, lambda e: e.org == org and bool(e.data.changed))
    assert changed.data.changed == {"score": ["62.50", "92.50"]}
    assert changed.envelope.sequence > event.envelope.sequence
    shown = (await ada.get(f"/v1/quality/conversations/{what}")).json()
    assert shown["overall"]["spread"] == "0.00"
    await others_see_nothing(analytics, what, first["id"], tone)


async def others_see_nothing(analytics: Harness, what: str, review_id: str, criterion_id: str) -> None:
    other = analytics.client(new_id())
    for path in (f"conversations/{what}", f"reviews/{review_id}", f"criteria/{criterion_id}"):
        assert (await other.get(f"/v1/quality/{path}")).status == 404, path
    assert (await other.get("/v1/quality/reviews")).json()["items"] == []


async def test_reviews_that_make_no_sense_are_refused(analytics: Harness, org: UUID, events: Events) -> None:
    client = analytics.client(org)
    tone = await criterion(client, "Tone")
    nobodys = await conversation(analytics, org, events, None)
    own = await conversation(analytics, org, events, client.user_id)
    good = [{"criterion_id": tone, "score": 5}]
    for wrong in (
        {"conversation_id": str(new_id()), "scores": good},
        {"conversation_id": nobodys, "scores": good},
        {"conversation_id": own, "scores": good},
        {"conversation_id": own, "agent_id": str(new_id()), "scores": []},
        {"conversation_id": own, "agent_id": str(new_id()), "scores": good * 2},
        {"conversation_id": own, "agent_id": str(new_id()), "scores": [{"criterion_id": tone, "score": 6}]},
        {"conversation_id": own, "agent_id": str(new_id()), "scores": [{"criterion_id": own, "score": 1}]},
    ):
        answer = await client.post("/v1/quality/reviews", wrong)
        assert answer.status == 422, (wrong, answer.body)
    stale = await client.put(f"/v1/quality/criteria/{tone}", {"name": "Voice"}, headers={"If-Match": '"4"'})
    assert stale.status == 412
    off = await client.put(f"/v1/quality/criteria/{tone}", {"name": "Voice", "active": False})
    assert off.json()["active"] is False
    answer = await client.post("/v1/quality/reviews", {"conversation_id": nobodys, "scores": good})
    assert answer.status == 422
    assert (await analytics.client(org, "team_member").get("/v1/quality/reviews")).status == 403
    assert [each["name"] for each in (await client.get("/v1/quality/criteria")).json()["items"]] == ["Voice"]


def test_a_score_is_the_weighted_mean() -> None:
    given = [Given(new_id(), "a", 1, 3, 1), Given(new_id(), "b", 2, 3, 2)]
    assert total(given) == Decimal("55.56")
    assert agreement([Decimal(10), Decimal(20), Decimal(60)]).average == Decimal("30.00")
