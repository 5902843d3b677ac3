"""What rules may not do: feed themselves, storm, fall over one event, look where they are not wanted."""

from datetime import UTC, datetime
from uuid import UUID

import aio_pika
from flotilla.bus.envelope import encode
from flotilla.cause import Cause
from flotilla.events.automation import TriggerFailed
from flotilla.events.crm import TaskRequested
from flotilla.events.messaging import ConversationOpened
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.automation.tests.conftest import Rule, Runs, answer, come_due, received


async def test_a_rule_that_feeds_itself_is_stopped(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(
        trigger="task.created.v1", condition=None, actions=[{"type": "create_task", "title": "Once more"}]
    )
    first = TaskRequested(
        request_id=new_id(),
        title="Begin",
        assignee_id=None,
        due_at=None,
        contact_id=None,
        company_id=None,
        conversation_id=None,
    )
    await automation.publish(answer(first), org=org)
    seen: set[UUID] = set()

    async def answered_until_stopped() -> bool:
        for wish in automation.spy.of(TaskRequested, org):
            if wish.id not in seen:
                seen.add(wish.id)
                await automation.publish(answer(wish.data), org=org, cause=wish.cause)
        return bool(automation.spy.of(TriggerFailed, org))

    await eventually(answered_until_stopped)
    (run,) = await runs_of(made["id"], "stopped")
    assert (run["reason"], run["depth"], run["steps"]) == ("loop", 6, [])
    assert len(automation.spy.of(TaskRequested, org)) == 6


async def test_many_events_of_one_journey_are_no_loop(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule()
    one_import = Cause.fresh("user:1")
    for _ in range(10):
        await automation.publish(received(), org=org, cause=one_import)
    runs = await runs_of(made["id"], "asking", 10)
    assert {run["depth"] for run in runs} == {0}


async def test_a_storm_is_stopped_and_told_once(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(actions=[{"type": "wait", "seconds": 3600}])
    for _ in range(45):  # with the minute's turn in between, at least five are over two minutes' twenty
        await automation.publish(received(), org=org)

    async def all_seen() -> bool:
        async with automation.app.db.transaction(org) as tx:
            return bool(
                await tx.fetchval("SELECT count(*) = 45 FROM runs WHERE ended_at IS NOT NULL OR step = 0")
            )

    await eventually(all_seen)
    failed = await automation.spy.expect(TriggerFailed, lambda event: event.org == org)
    assert failed.data.reason == "storm"
    assert len(automation.spy.of(TriggerFailed, org)) <= 2
    client = automation.client(org)
    stopped = (await client.get(f"/v1/rules/{made['id']}/runs?state=stopped&limit=200")).json()["items"]
    assert len(stopped) >= 5
    assert {run["reason"] for run in stopped} == {"storm"}


async def test_poison_is_parked_alone(automation: Harness, org: UUID, rule: Rule, runs_of: Runs) -> None:
    made = await rule()
    good = encode(received(), org=org, sequence=1, cause=Cause.fresh(), region="eu")
    broken = good.body.replace(b'"position":1', b'"position":"one"').replace(
        str(good.id).encode(), str(new_id()).encode()
    )
    exchange = automation._exchange

    for body in (broken, good.body):
        await exchange.publish(aio_pika.Message(body, delivery_mode=2), good.type)
    await runs_of(made["id"], "asking")

    async def parked() -> bool:
        row = await automation.app.db.fetchrow(
            "SELECT handler, error FROM parked_events WHERE organization_id = $1", org
        )
        return row is not None and row["handler"] == "run_rules" and "ValidationError" in row["error"]

    await eventually(parked)


async def test_an_organization_without_rules_is_not_looked_at(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule()
    stranger = new_id()
    await automation.publish(received(), org=stranger)
    await automation.publish(received(), org=org)
    await runs_of(made["id"], "asking")
    async with automation.app.db.transaction([stranger, org]) as tx:
        kept = await tx.fetch(
            "SELECT organization_id FROM recent_events WHERE organization_id = ANY($1)", [stranger, org]
        )
    assert {row["organization_id"] for row in kept} == {org}


async def test_a_type_is_bound_while_rules_or_their_runs_want_it(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    db, client = automation.app.db, automation.client(org)
    type_ = "conversation.opened.v1"

    async def bound() -> bool:
        return bool(await db.fetchval("SELECT count(*) FROM bound_types WHERE type = $1", type_))

    assert not await bound()
    made = await rule(trigger=type_, condition=None, actions=[{"type": "wait", "seconds": 3600}])
    assert await bound()
    opened = ConversationOpened(
        conversation_id=new_id(),
        channel="telegram",
        account_id=new_id(),
        identity_id=new_id(),
        contact_id=None,
        state="open",
        assignee_id=None,
        snoozed_until=None,
        opened_at=datetime.now(UTC),
        resolved_at=None,
        ai_enabled=True,
    )
    await automation.publish(opened, org=org)
    await runs_of(made["id"], "waiting")
    await client.patch(f"/v1/rules/{made['id']}", {"enabled": False})
    await automation.app.own.bound.settle()
    assert await bound()  # a run still lives
    await come_due(automation, org)
    await runs_of(made["id"], "done")

    async def let_go() -> bool:
        await automation.app.own.bound.settle()
        return not await bound()

    await eventually(let_go)
    await automation.publish(opened, org=org)
    # The broker knows of no place for it: it went nowhere, the queue holds nothing.
    await client.patch(f"/v1/rules/{made['id']}", {"enabled": True})
    await automation.publish(opened, org=org)
    runs = await runs_of(made["id"], "waiting")
    assert len(runs) == 1
