"""Metrics that people define, and goals: each point counts once, each goal is told once a period."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events import pipeline
from flotilla.events.analytics import GoalReached, MetricRecorded
from flotilla.events.base import Money
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.clock import same_hour
from flotilla.testing.plugin import StartService

from services.analytics.tests.sales_history import deal

PARCELS = {"name": "parcels", "title": "Parcels", "unit": "parcels", "aggregation": "sum"}


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    """The service with all its loops, on Postgres search."""
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


async def made(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, body)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


def point(id_: str, value: object, at: datetime | None = None) -> dict[str, Any]:
    return {"id": id_, "at": (at or datetime.now(UTC)).isoformat(), "value": value}


@pytest.fixture(autouse=True)
async def now() -> datetime:
    """When a test began, in whose period it ends."""
    await same_hour()
    return datetime.now(UTC)


async def test_points_are_recorded_once_and_told(analytics: Harness, org: UUID, now: datetime) -> None:
    client = analytics.client(org)
    metric = await made(client, "/v1/metrics/custom", PARCELS)
    path = f"/v1/metrics/custom/{metric['id']}"
    yesterday = now - timedelta(days=1)
    points = [point("a", 3), point("b", "2.5"), point("c", 10, yesterday), point("a", 7)]
    answer = await client.post(f"{path}/points", {"points": points})
    assert (answer.status, answer.json()) == (200, {"recorded": 3, "known": 1})
    many = [point(f"p{number}", 1) for number in range(450)]
    answers = await asyncio.gather(*[client.post(f"{path}/points", {"points": many}) for _ in range(3)])
    assert sorted(answer.json()["recorded"] for answer in answers) == [0, 0, 450]

    async def told() -> bool:
        return sum(len(event.data.points) for event in analytics.spy.of(MetricRecorded, org)) == 453

    await eventually(told, what="all points told")
    events = analytics.spy.of(MetricRecorded, org)
    assert len({int(event.envelope.sequence) for event in events}) == len(events) == 4
    first = min(events, key=lambda event: event.envelope.sequence).data
    assert {(each.point_id, each.value) for each in first.points} == {("a", "3"), ("b", "2.5"), ("c", "10")}
    query = f"from={yesterday.date()}&to={now.date() + timedelta(days=1)}"
    values = (await client.get(f"{path}/values?{query}&granularity=day")).json()
    assert [(each["count"], float(each["value"])) for each in values] == [(1, 10.0), (452, 455.5)]
    assert (await analytics.client(new_id()).get(path)).status == 404
    assert (await analytics.client(new_id()).post(f"{path}/points", {"points": many[:1]})).status == 404
    assert (await analytics.client(org, "viewer").post(f"{path}/points", {"points": many[:1]})).status == 403


async def test_a_goal_is_told_once_a_period(analytics: Harness, org: UUID, now: datetime) -> None:
    client = analytics.client(org)
    metric = await made(client, "/v1/metrics/custom", PARCELS)
    path = f"/v1/metrics/custom/{metric['id']}/points"
    goal = {"name": "Ten parcels", "measure": "custom:parcels", "target": "10", "granularity": "year"}
    goal = await made(client, "/v1/goals", goal)
    await client.post(path, {"points": [point("1", 6)]})
    shown = (await client.get(f"/v1/goals/{goal['id']}")).json()
    assert (float(shown["value"]), shown["share"], shown["reached"]) == (6.0, "0.6000", [])
    await client.post(path, {"points": [point("2", 4)]})
    event = await analytics.spy.expect(GoalReached, lambda event: event.org == org)
    assert (event.data.target, float(event.data.value)) == ("10", 10.0)
    assert (event.data.period_from.year, event.data.period_to.year) == (now.year, now.year + 1)
    for number in range(3, 6):
        await client.post(path, {"points": [point(str(number), 100)]})
    # A second goal is judged after all of that: once it is told, the first one has been judged again too.
    other = {"name": "More", "measure": "custom:parcels", "target": "300", "granularity": "year"}
    second = await made(client, "/v1/goals", other)
    await analytics.spy.expect(GoalReached, lambda event: str(event.data.goal_id) == second["id"])
    assert len(analytics.spy.of(GoalReached, org)) == 2
    shown = (await client.get(f"/v1/goals/{goal['id']}")).json()
    assert [float(each["value"]) for each in shown["reached"]] == [10.0]


async def test_goals_follow_what_is_folded(analytics: Harness, org: UUID, now: datetime) -> None:
    client = analytics.client(org)
    goal = {"name": "A thousand", "measure": "revenue_won", "filters": {"currency": "EUR"}, "target": 1000_00}
    goal = await made(client, "/v1/goals", goal)
    for number, (cents, currency) in enumerate([(600_00, "EUR"), (900_00, "USD"), (400_00, "EUR")]):
        assert analytics.spy.of(GoalReached, org) == []
        won = deal(
            pipeline.DealWon,
            saga_id=new_id(),
            state="won",
            ended_at=now,
            value=Money(amount_minor=cents, currency=currency),
        )
        await analytics.publish(won, org=org, sequence=number + 1)
    event = await analytics.spy.expect(GoalReached, lambda event: event.org == org)
    assert (str(event.data.goal_id), event.data.value) == (goal["id"], "100000")


async def test_a_goal_may_be_changed_while_it_is_judged(analytics: Harness, org: UUID) -> None:
    client = analytics.client(org)
    metric = await made(client, "/v1/metrics/custom", PARCELS)
    goal = await made(
        client, "/v1/goals", {"name": "x", "measure": "custom:parcels", "target": "5", "granularity": "year"}
    )
    points = f"/v1/metrics/custom/{metric['id']}/points"
    for number in range(10):
        moves = [client.post(points, {"points": [point(f"{number}-{each}", 1)]}) for each in range(3)]
        changes = [client.patch(f"/v1/goals/{goal['id']}", {"target": 5 + each}) for each in range(3)]
        answers = await asyncio.gather(*moves, *changes)
        assert [answer.status for answer in answers] == [200] * 6
    await analytics.spy.expect(GoalReached, lambda event: event.org == org)
    assert len(analytics.spy.of(GoalReached, org)) == 1


async def test_what_makes_no_sense_is_refused(analytics: Harness, org: UUID) -> None:
    client = analytics.client(org)
    metric = await made(client, "/v1/metrics/custom", PARCELS)
    assert (await client.post("/v1/metrics/custom", PARCELS)).status == 409
    goal = {"name": "x", "measure": "deals_won", "target": "10"}
    for wrong in (
        {"measure": "parrots"},
        {"measure": "custom:parrots"},
        {"measure": "revenue_won"},
        {"filters": {"weather": "fine"}},
        {"filters": {"owner_id": "me"}},
        {"target": 0},
        {"target": "NaN"},
        {"target": "1e400"},
        {"granularity": "fortnight"},
        {"name": "a\u0000b"},
    ):
        answer = await client.post("/v1/goals", goal | wrong)
        assert answer.status == 422, (wrong, answer.body)
    path = f"/v1/metrics/custom/{metric['id']}/points"
    for bad in (
        point("", 1),
        point("a b", 1),
        point("a", "many"),
        point("a", "1e30"),
        point("a", 1, datetime(1200, 1, 1, tzinfo=UTC)),
        {"id": "a", "at": "2026-01-01T00:00:00", "value": 1},
    ):
        answer = await client.post(path, {"points": [bad]})
        assert answer.status == 422, (bad, answer.body)
    assert (await client.post(path, {"points": []})).status == 422
    for wrong_name in ("Parcels", "9", "", "a" * 64):
        assert (await client.post("/v1/metrics/custom", PARCELS | {"name": wrong_name})).status == 422


async def test_goals_and_metrics_are_changed_by_their_version(analytics: Harness, org: UUID) -> None:
    client = analytics.client(org)
    metric = await made(client, "/v1/metrics/custom", PARCELS)
    path = f"/v1/metrics/custom/{metric['id']}"
    stale = {"If-Match": '"7"'}
    assert (await client.patch(path, {"title": "Boxes"}, headers=stale)).status == 412
    renamed = await client.patch(path, {"title": "Boxes"})
    assert (renamed.json()["title"], renamed.headers["ETag"]) == ("Boxes", '"2"')
    goal = await made(client, "/v1/goals", {"name": "x", "measure": "deals_won", "target": "10"})
    assert (await client.delete(f"/v1/goals/{goal['id']}", headers=stale)).status == 412
    changed = await client.patch(f"/v1/goals/{goal['id']}", {"target": "12.5"})
    assert (changed.status, changed.json()["target"]) == (200, "12.5")
    assert [each["id"] for each in (await client.get("/v1/goals")).json()["items"]] == [goal["id"]]
    assert (await client.get("/v1/metrics/custom")).json()["items"][0]["name"] == "parcels"
    assert (await client.delete(f"/v1/goals/{goal['id']}")).status == 204
    assert (await client.get(f"/v1/goals/{goal['id']}")).status == 404
