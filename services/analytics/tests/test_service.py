"""The running service: from the broker to what people read over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events import ai, messaging
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.plugin import StartService
from flotilla_analytics.service import service
from flotilla_analytics.verification import verify

from services.analytics.tests.conftest import Events


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    """The service with all its loops, on Postgres search."""
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


async def archived(client: Client, count: int, query: str = "") -> list[dict[str, Any]]:
    """The events of the client's organization, once there are so many."""

    async def read() -> list[dict[str, Any]]:
        answer = await client.get(f"/v1/archive/events?limit=200{query}")
        assert answer.status == 200, answer.body
        items: list[dict[str, Any]] = answer.json()["items"]
        return items if len(items) == count else []

    return await eventually(read, what=f"{count} archived events")


async def test_an_event_is_archived_and_read_by_those_who_may(
    analytics: Harness, org: UUID, events: Events
) -> None:
    data = events.received()
    event_id = await analytics.publish(data, org=org)
    (event,) = await archived(analytics.client(org), 1)
    assert event["id"] == str(event_id)
    assert event["type"] == "message.received.v1"
    assert event["data"]["text"] == "Where is my parcel?"
    assert event["data"]["sender"]["name"] == "Ada Lovelace"
    for role in ("team_owner", "team_member", "viewer", "client"):
        assert (await analytics.client(org, role).get("/v1/archive/events")).status == 403
    assert (await analytics.client(new_id()).get("/v1/archive/events")).json()["items"] == []
    assert (await analytics.anonymous().get("/v1/archive/events")).status == 401


async def test_the_audit_log_is_filtered_and_paged(analytics: Harness, org: UUID, events: Events) -> None:
    actor, began = f"user:{new_id()}", datetime.now(UTC)
    for number in range(5):
        await analytics.publish(
            events.company(), org=org, cause=Cause.fresh(actor if number % 2 else "user:other")
        )
    contact = events.contact()
    await analytics.publish(contact, org=org, cause=Cause.fresh(actor))
    client = analytics.client(org)
    await archived(client, 6)
    assert len(await archived(client, 3, f"&actor={actor}")) == 3
    assert len(await archived(client, 2, f"&actor={actor}&type=company.created.v1")) == 2
    (only,) = await archived(client, 1, f"&subject={contact.contact_id}")
    assert only["type"] == "contact.created.v1"
    before = began.isoformat().replace("+00:00", "Z")
    assert await archived(client, 6, f"&from={before}")
    assert (await client.get(f"/v1/archive/events?to={before}")).json()["items"] == []

    seen: list[str] = []
    cursor = ""
    while True:
        body = (await client.get(f"/v1/archive/events?limit=4{cursor}")).json()
        seen += [item["id"] for item in body["items"]]
        if body["next_cursor"] is None:
            break
        cursor = f"&cursor={body['next_cursor']}"
    assert len(seen) == len(set(seen)) == 6
    for wrong in ("cursor=nonsense", "from=yesterday", "from=2026-01-01T00:00:00", "limit=1000"):
        assert (await client.get(f"/v1/archive/events?{wrong}")).status == 422


async def test_a_journey_is_in_causal_order_and_redacted_for_some(
    analytics: Harness, org: UUID, events: Events
) -> None:
    first = Cause.fresh()
    message, draft = events.received(), events.draft(ai.DraftGenerated)
    received = await analytics.publish(message, org=org, cause=first)
    generated = await analytics.publish(draft, org=org, cause=Cause(first.correlation_id, received))
    sent = await analytics.publish(events.sent(), org=org, cause=Cause(first.correlation_id, generated))
    opened = await analytics.publish(
        events.conversation(messaging.ConversationOpened),
        org=org,
        cause=Cause(first.correlation_id, received),
    )
    await archived(analytics.client(org), 4)
    path = f"/v1/journeys/{first.correlation_id}"
    journey = (await analytics.client(org).get(path)).json()
    told = [(step["id"], step["depth"]) for step in journey["steps"]]
    assert told == [(str(received), 0), (str(generated), 1), (str(sent), 2), (str(opened), 1)]
    assert journey["steps"][0]["data"]["text"] == message.text
    redacted = (await analytics.client(org, "team_owner").get(path)).json()
    assert redacted["steps"][0]["data"]["text"] is None
    assert redacted["steps"][0]["data"]["channel"] == "telegram"
    assert (await analytics.client(org, "viewer").get(path)).status == 403
    assert (await analytics.client(new_id()).get(path)).status == 404


async def test_metrics_are_read(analytics: Harness, org: UUID, events: Events) -> None:
    conversation_id, start = new_id(), datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
    told = [
        events.received(conversation_id=conversation_id, sent_at=start),
        events.received(channel="generic", sent_at=start + timedelta(days=1)),
        events.sent(
            conversation_id=conversation_id, occurred_at=start + timedelta(seconds=90), responds_to_at=start
        ),
        events.draft(ai.DraftGenerated, generated_at=start),
        events.draft(ai.DraftApproved, generated_at=start, decided_at=start, edited=True),
    ]
    for data in told:
        await analytics.publish(data, org=org)
    client = analytics.client(org, "viewer")

    async def read(metric: str, *groups: str, until: str = "2026-03-20") -> list[dict[str, Any]]:
        query = "".join(f"&group_by={group}" for group in groups)
        answer = await client.get(f"/v1/analytics/metrics?metric={metric}&from=2026-03-14&to={until}{query}")
        assert answer.status == 200, answer.body
        return [
            {name: value for name, value in group.items() if value is not None}
            for group in answer.json()["groups"]
        ]

    async def complete() -> bool:
        groups = [*await read("message_volume"), *await read("draft_decisions")]
        return [group["count"] for group in groups] == [3, 2]

    await eventually(complete, what="the metrics")
    assert await read("message_volume", "channel", "direction") == [
        {"channel": "generic", "direction": "inbound", "count": 1},
        {"channel": "telegram", "direction": "inbound", "count": 1},
        {"channel": "telegram", "direction": "outbound", "count": 1},
    ]
    assert await read("message_volume", "day", until="2026-03-15") == [{"day": "2026-03-14", "count": 2}]
    (first,) = await read("first_response_time")
    assert (first["count"], first["mean_seconds"]) == (1, 90)
    assert abs(first["p50_seconds"] - 90) < 7
    assert await read("draft_decisions", "outcome", "agent") == [
        {"agent": "support", "outcome": "edited", "count": 1},
        {"agent": "support", "outcome": "generated", "count": 1},
    ]
    assert await read("resolution_time") == []
    for wrong in (
        "metric=nonsense&from=2026-03-14&to=2026-03-15",
        "metric=message_volume&from=2026-03-14&to=2026-03-14",
        "metric=message_volume&from=2020-03-14&to=2026-03-14",
        "metric=message_volume&from=2026-03-14&to=2026-03-15&group_by=agent",
        "metric=message_volume&from=2026-03-14",
    ):
        assert (await client.get(f"/v1/analytics/metrics?{wrong}")).status == 422, wrong


async def test_search_finds_what_was_said(analytics: Harness, org: UUID, events: Events) -> None:
    message, contact = (
        events.received(text="The elasticsearch node is down"),
        events.contact(name="Grace Hopper"),
    )
    for data in (message, contact):
        await analytics.publish(data, org=org)
    client = analytics.client(org, "viewer")

    async def find(query: str) -> list[dict[str, Any]]:
        answer = await client.get(f"/v1/search?{query}")
        assert answer.status == 200, answer.body
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    (hit,) = await eventually(lambda: find("q=elasticsarch"), what="the message")
    assert hit["id"] == str(message.message_id)
    assert hit["conversation_id"] == str(message.conversation_id)
    assert "elasticsearch" in hit["excerpt"]
    (hit,) = await eventually(lambda: find("q=hopper&kinds=contact"), what="the contact")
    assert hit["title"] == "Grace Hopper"
    assert await find("q=hopper&kinds=message") == []
    assert (await client.get("/v1/search?q=x&kinds=parrot")).status == 422
    assert (await client.get("/v1/search?q=")).status == 422
    assert (await analytics.client(org, "client").get("/v1/search?q=hopper")).status == 403
    assert (await analytics.client(new_id()).get("/v1/search?q=hopper")).json()["items"] == []


async def test_two_replicas_on_the_lane_archive_each_event_once(
    analytics: Harness, org: UUID, events: Events
) -> None:
    async with running(service, instance=analytics.instance, elasticsearch_url="") as other:
        data = [events.received() for _ in range(100)]
        ids = [new_id() for _ in data]
        for _ in range(2):
            for event_id, message in zip(ids, data, strict=True):
                await analytics.publish(message, org=org, event_id=event_id)
        await archived(analytics.client(org), 100)

        async def sealed() -> bool:
            return await other.app.db.fetchval("SELECT 1 FROM unsealed LIMIT 1") is None

        await eventually(sealed, what="everything sealed")
    report = await verify(analytics.app.db)
    assert report.holds, report.findings
    assert await analytics.app.db.fetchval("SELECT count(*) FROM parked_events") == 0
