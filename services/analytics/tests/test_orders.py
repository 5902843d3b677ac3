"""Lists of the archive, of what is asked of it and of what people judge, in every order that they offer."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from flotilla.cause import Cause
from flotilla.events import crm
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.orders import NAMES, check_orders
from flotilla.testing.plugin import StartService

from services.analytics.tests.conftest import Events

MANY = 5
TOLD = ("list_archived_events", "list_audit")
WRITTEN = {
    "replays": ("service, projections, filter, state", "'crm', '{{}}', '{{}}', 'finished'"),
    "report_runs": ("report_id, day_from, day_to, format", "'{report}', '2026-03-01', '2026-03-14', 'csv'"),
    "survey_sends": ("survey_id, conversation_id, channel, state", "'{survey}', id, 'telegram', 'sent'"),
    "quality_reviews": (
        "conversation_id, agent_id, reviewer_id, score, scores, reviewed_at",
        "id, id, id, 80, '[]', now() - interval '1 hour' * (row_number() OVER () % 3)",
    ),
}
"""Table → columns and their values."""


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    """The service with all its loops, on Postgres search."""
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def test_every_order_of_every_list(analytics: Harness, org: UUID) -> None:
    client = analytics.client(org)
    for number, name in enumerate(NAMES):
        report = await _made(client, "/v1/reports", {"name": name, "measure": "deals_won"})
        survey = await _made(client, "/v1/surveys", {"name": name, "kind": "csat"})
        await _made(client, "/v1/goals", {"name": name, "measure": "deals_won", "target": "7"})
        await _made(client, "/v1/quality/criteria", {"name": name})
        metric = {"name": f"parcels_{7 * number % 6}", "title": name}
        await _made(client, "/v1/metrics/custom", metric)
    async with analytics.app.db.transaction(org) as tx:
        for table, (columns, values) in WRITTEN.items():
            # How they come about is tested elsewhere.
            await tx.execute(
                f"INSERT INTO {table} (organization_id, id, {columns})"
                f" SELECT $1::uuid, id, {values.format(report=report, survey=survey)} FROM unnest($2::uuid[]) AS id",
                org,
                [new_id() for _ in range(MANY)],
            )
    ids = {"report_id": report, "survey_id": survey}
    walked = await check_orders("analytics", client, ids, without=TOLD)
    assert len(walked) == 9, walked


async def test_the_archive_and_the_audit_log_in_every_order(
    analytics: Harness, org: UUID, events: Events
) -> None:
    """In an organization where nothing else is done that would be archived meanwhile."""
    client, actor = analytics.client(org), Cause.fresh(f"user:{new_id()}")
    for _ in range(MANY):
        told = events.contact(crm.ContactUpdated, name="Grace", changed={"name": ["Ada", "Grace"]})
        await analytics.publish(told, org=org, sequence=1, cause=actor)

    async def archived() -> bool:
        return len((await client.get("/v1/audit")).json()["items"]) == MANY

    await eventually(archived, what="all of it is in the archive")
    assert set(await check_orders("analytics", client, {}, only=TOLD)) == {*TOLD}
