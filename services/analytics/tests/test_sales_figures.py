"""Sales figures over HTTP: from events on the bus to what a manager reads."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from flotilla.events import leads, pipeline
from flotilla.events.base import Event, Money
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService

from services.analytics.tests.sales_history import OWNERS, PIPELINE, STAGES, deal, lead, stages

MARCH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
QUERY = {"from": "2026-03-01", "to": "2026-05-01"}


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    """The service with all its loops, on Postgres search."""
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


def day(number: float) -> datetime:
    """So many days into the stretch."""
    return MARCH + timedelta(days=number)


def story() -> list[tuple[Event, int]]:
    """Three deals: one won in ten days for 300 EUR, one in forty for 100 EUR, one lost; and two leads."""
    first, second, third = new_id(), new_id(), new_id()
    euros = Money(amount_minor=300_00, currency="EUR")
    fewer = Money(amount_minor=100_00, currency="EUR")
    mine: dict[str, Any] = {"owner_id": OWNERS[1]}
    told: list[tuple[Event, int]] = [(stage, 1) for stage in stages()]

    def made(id_: UUID, at: datetime, **more: Any) -> None:
        created = deal(
            pipeline.DealCreated,
            deal_id=id_,
            created_at=at,
            entered_stage_at=at,
            qualification_id=None,
            **more,
        )
        told.append((created, 1))

    def moved(
        id_: UUID, sequence: int, way: tuple[int, int], made_at: datetime, at: datetime, **more: Any
    ) -> None:
        seconds = int((at - made_at).total_seconds())
        where = {"from_stage_id": STAGES[way[0]], "to_stage_id": STAGES[way[1]], "stage_id": STAGES[way[1]]}
        when: dict[str, Any] = {"entered_stage_at": at, "created_at": made_at, "seconds_in_stage": seconds}
        told.append(
            (deal(pipeline.DealStageChanged, deal_id=id_, **where, **when, reason=None, **more), sequence)
        )

    made(first, day(0), value=euros, **mine)
    won = {"state": "won", "ended_at": day(10), "value": euros, **mine}
    moved(first, 2, (0, 3), day(0), day(10), **won)
    ended = {"stage_id": STAGES[3], "created_at": day(0), "entered_stage_at": day(10)}
    told.append((deal(pipeline.DealWon, deal_id=first, saga_id=new_id(), **ended, **won), 3))
    made(second, day(0), value=fewer)
    moved(second, 2, (0, 1), day(0), day(4), value=fewer)
    moved(second, 3, (1, 0), day(0), day(5), value=fewer)
    won = {"state": "closed", "ended_at": day(40), "value": fewer}
    moved(second, 4, (0, 3), day(0), day(40), **won)
    made(third, day(2), **mine)
    moved(third, 2, (0, 4), day(2), day(3), state="lost", ended_at=day(3), loss_reason="price", **mine)
    one, other = new_id(), new_id()
    told.append((lead(leads.LeadScored, lead_id=one, qualified_at=day(0), reasons=[]), 2))
    told.append((lead(leads.LeadScored, lead_id=other, qualified_at=day(1), reasons=[]), 2))
    converted = {"status": "converted", "converted_at": day(40), "qualified_at": day(0)}
    told.append((lead(leads.LeadConverted, lead_id=one, **converted), 3))
    return told


async def read(client: Client, path: str, **query: Any) -> Any:
    answer = await client.get(f"/v1/analytics/sales/{path}?{urlencode(QUERY | query, doseq=True)}")
    assert answer.status == 200, answer.body
    return answer.json()


async def test_sales_are_told_and_read(analytics: Harness, org: UUID) -> None:
    for data, sequence in story():
        await analytics.publish(data, org=org, sequence=sequence)
    client = analytics.client(org, "viewer")

    async def complete() -> bool:
        (deals,) = (await read(client, "deals"))["groups"] or [{"won": 0, "lost": 0}]
        (found,) = (await read(client, "leads"))["periods"] or [{"won": 0}]
        return (deals["won"], deals["lost"], found["won"]) == (2, 1, 1)

    await eventually(complete, what="the sales")
    (whole,) = (await read(client, "deals"))["groups"]
    assert (whole["created"], whole["win_rate"], whole["conversion_rate"]) == (3, "0.6667", "0.6667")
    assert whole["revenue"] == [
        {"currency": "EUR", "deals": 2, "amount_minor": 400_00, "average_minor": 200_00}
    ]
    assert whole["cycle"]["mean_seconds"] == 25 * 86_400
    months = (await read(client, "deals", granularity="month"))["groups"]
    assert [(month["period"], month["created"], month["won"]) for month in months] == [
        ("2026-03-01", 3, 1),
        ("2026-04-01", 0, 1),
    ]
    (mine,) = (await read(client, "deals", owner_id=OWNERS[1], group_by=["owner_id"]))["groups"]
    assert (mine["owner_id"], mine["won"], mine["lost"], mine["win_rate"]) == (str(OWNERS[1]), 1, 1, "0.5000")
    cycle = await read(client, "cycle")
    assert cycle["deals"] == 2
    assert [bar["deals"] for bar in cycle["distribution"]] == [1, 1]
    assert cycle["distribution"][0]["from_seconds"] <= 10 * 86_400 <= cycle["distribution"][0]["to_seconds"]
    losses = await read(client, "losses")
    assert [(loss["reason"], loss["share"]) for loss in losses["reasons"]] == [("price", "1.0000")]
    (found,) = (await read(client, "leads"))["periods"]
    assert (found["created"], found["conversion_rate"], found["converted"]) == (2, "0.5000", 1)
    assert found["time_to_convert"]["mean_seconds"] == 40 * 86_400
    weeks = (await read(client, "leads", granularity="week"))["periods"]
    assert [(week["period"], week["created"], week["won"], week["converted"]) for week in weeks] == [
        ("2026-03-02", 2, 1, 0),
        ("2026-04-06", 0, 0, 1),
    ]
    await funnel_is_right(client)
    await others_see_nothing(analytics)


async def funnel_is_right(client: Client) -> None:
    funnel = await read(client, "funnel", pipeline_id=PIPELINE)
    columns = ("reached", "entered", "left_forward", "left_back", "left_lost", "conversion_rate")
    told = {stage["name"]: tuple(stage[column] for column in columns) for stage in funnel["stages"]}
    assert told == {
        "Stage 1": (3, 4, 3, 0, 1, "0.7500"),
        "Stage 2": (1, 1, 0, 1, 0, "0.0000"),
        "Stage 3": (0, 0, 0, 0, 0, None),
        "Stage 4": (2, 2, 0, 0, 0, None),
        "Stage 5": (1, 1, 0, 0, 0, None),
    }
    begin = funnel["stages"][0]["time_in_stage"]
    assert begin["mean_seconds"] == (10 + 4 + 40 + 1) / 4 * 86_400


async def others_see_nothing(analytics: Harness) -> None:
    other = analytics.client(new_id())
    assert (await read(other, "deals"))["groups"] == []
    assert (await read(other, "leads"))["periods"] == []
    assert (await read(other, "losses"))["deals"] == 0
    query = urlencode({**QUERY, "pipeline_id": PIPELINE})
    assert (await other.get(f"/v1/analytics/sales/funnel?{query}")).status == 404


async def test_questions_that_make_no_sense_are_refused(analytics: Harness, org: UUID) -> None:
    client = analytics.client(org)
    for wrong in (
        "deals?from=2026-03-01&to=2026-03-01",
        "deals?from=2026-03-02&to=2026-03-01",
        "deals?from=2000-01-01&to=2026-03-01",
        "deals?from=2024-01-01&to=2026-03-01&granularity=day",
        "deals?from=2026-01-01&to=2026-03-01&granularity=fortnight",
        "deals?from=2026-01-01&to=2026-03-01&group_by=currency",
        "deals?from=2026-01-01&to=2026-03-01&owner_id=me",
        "deals?from=2026-01-01&to=2026-03-01&source=%00",
        "funnel?from=2026-01-01&to=2026-03-01",
        "leads?from=yesterday&to=2026-03-01",
    ):
        answer = await client.get(f"/v1/analytics/sales/{wrong}")
        assert answer.status == 422, (wrong, answer.body)
    assert (await analytics.client(org, "client").get("/v1/analytics/sales/leads")).status == 403
