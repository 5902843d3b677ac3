"""What an organization's plan allows of rules."""

from datetime import UTC, datetime
from uuid import UUID

from flotilla.events.automation import TriggerFailed
from flotilla.events.billing import EntitlementChanged
from flotilla.events.crm import TaskRequested
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.automation.tests.conftest import CREATE_TASK, Rule, Runs, received


async def allow(automation: Harness, org: UUID, feature: str, limit: int | None, sequence: int = 1) -> None:
    """As billing would say, and automation know."""
    now = datetime.now(UTC)
    fact = EntitlementChanged(
        entitlement_id=new_id(),
        feature=feature,
        enabled=True,
        limit=limit,
        used=0,
        beyond="block",
        period_started_at=now,
        period_ends_at=now,
    )
    await automation.publish(fact, org=org, sequence=sequence)

    async def known() -> bool:
        async with automation.app.db.transaction(org) as tx:
            sql = "SELECT allowed IS NOT DISTINCT FROM $1 FROM plan_limits WHERE feature = $2"
            return bool(await tx.fetchval(sql, limit, feature))

    await eventually(known)


async def test_so_many_rules_may_be_enabled(automation: Harness, org: UUID, rule: Rule) -> None:
    client = automation.client(org)
    await allow(automation, org, "rules", 1)
    made = await rule()
    body = {
        "name": "Second",
        "enabled": True,
        "trigger": "message.received.v1",
        "actions": [CREATE_TASK],
    }
    refused = await client.post("/v1/rules", body)
    assert (refused.status, refused.json()["type"]) == (402, "/problems/limit-reached")
    second = (await client.post("/v1/rules", {**body, "enabled": False})).json()
    path = f"/v1/rules/{second['id']}"
    assert (await client.patch(path, {"enabled": True})).status == 402
    assert (await client.patch(f"/v1/rules/{made['id']}", {"name": "Changed"})).status == 200
    await client.patch(f"/v1/rules/{made['id']}", {"enabled": False})
    assert (await client.patch(path, {"enabled": True})).status == 200
    await allow(automation, org, "rules", None, sequence=2)
    assert (await client.post("/v1/rules", body)).status == 201


async def test_so_many_runs_may_begin_in_a_day(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    await allow(automation, org, "rule_runs", 2)
    made = await rule()
    for _ in range(4):
        await automation.publish(received(), org=org)
    await runs_of(made["id"], "asking", 2)
    stopped = await runs_of(made["id"], "stopped", 2)
    assert {run["reason"] for run in stopped} == {"limit"}
    assert len(automation.spy.of(TaskRequested, org)) == 2
    assert len(automation.spy.of(TriggerFailed, org)) == 1  # told once
    await allow(automation, org, "rule_runs", 3, sequence=2)
    await automation.publish(received(), org=org)
    await runs_of(made["id"], "stopped", 3)  # what was not let begin counts as well
