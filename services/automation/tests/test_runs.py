"""Runs on real servers: wishes and answers, redelivery, two replicas, versions."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from flotilla.cause import Cause
from flotilla.events.automation import RuleTriggered, TriggerExecuted, TriggerFailed
from flotilla.events.crm import TaskFailed, TaskRequested
from flotilla.events.messaging import MessageRefused, MessageRequested
from flotilla.events.pipeline import Deal, DealLost, DealMoveFailed, DealMoveRequested, DealStageChanged
from flotilla.ids import new_id
from flotilla.testing import Harness
from flotilla.testing.harness import running
from flotilla_automation.service import service

from services.automation.tests.conftest import CREATE_TASK, ON_TELEGRAM, Rule, Runs, answer, received, sent


async def test_a_rule_asks_is_answered_and_explains_itself(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(
        condition={"all": [ON_TELEGRAM, {"field": "data.text", "operator": "contains", "value": "Refund"}]}
    )
    message = received()
    cause = Cause.fresh("contact:1")
    event_id = await automation.publish(message, org=org, cause=cause)
    wish = await automation.spy.expect(TaskRequested, lambda event: event.org == org)
    assert (wish.data.title, wish.data.conversation_id) == ("Call Zoë Groß", message.conversation_id)
    assert wish.envelope.source == "/flotilla/automation"
    assert wish.envelope.actor == f"rule:{made['id']}"
    assert wish.envelope.requestid == wish.data.request_id
    assert (wish.envelope.correlationid, wish.envelope.causationid) == (cause.correlation_id, event_id)
    assert (await automation.spy.expect(RuleTriggered, lambda event: event.org == org)).data.depth == 0

    await automation.publish(answer(wish.data), org=org, cause=wish.cause)
    done = await automation.spy.expect(TriggerExecuted, lambda event: event.org == org)
    (run,) = await runs_of(made["id"], "done")
    assert (done.data.outcome, str(done.data.run_id)) == ("done", run["id"])
    assert [(step["kind"], step["state"]) for step in run["steps"]] == [("create_task", "done")]
    channel, text = run["conditions"]
    assert (channel["actual"], channel["holds"]) == ("telegram", True)
    assert (text["actual"], text["personal"], text["holds"]) == (None, True, True)


async def test_what_nearly_ran_says_which_condition_failed(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    first = {"field": "data.first", "operator": "equals", "value": False}
    made = await rule(condition={"all": [ON_TELEGRAM, first]})
    await automation.publish(received(channel="email"), org=org)  # two comparisons away: not told
    await automation.publish(received(), org=org)
    (run,) = await runs_of(made["id"], "skipped")
    failed = [each["pointer"] for each in run["conditions"] if not each["holds"]]
    assert (failed, run["steps"]) == (["/condition/all/1"], [])
    assert not automation.spy.of(TaskRequested, org)


async def test_a_refused_wish_ends_the_run_with_the_reason(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(actions=[CREATE_TASK, CREATE_TASK])
    await automation.publish(received(), org=org)
    wish = await automation.spy.expect(TaskRequested, lambda event: event.org == org)
    failed = TaskFailed(request_id=wish.data.request_id, reason="unknown_contact")
    await automation.publish(failed, org=org, cause=wish.cause)
    event = await automation.spy.expect(TriggerFailed, lambda event: event.org == org)
    assert (event.data.reason, event.data.step) == ("refused: unknown_contact", 0)
    (run,) = await runs_of(made["id"], "failed")
    assert run["reason"] == "refused: unknown_contact"
    assert len(automation.spy.of(TaskRequested, org)) == 1


async def test_a_deal_is_moved_or_the_run_says_why_not(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    stage = new_id()
    move = {"type": "move_deal", "deal_id": "{{ data.deal_id }}", "stage_id": str(stage)}
    made = await rule(trigger="deal.lost.v1", condition=None, actions=[move], name="Win back")
    now = datetime.now(UTC)
    lost = DealLost(
        deal_id=new_id(),
        pipeline_id=new_id(),
        stage_id=new_id(),
        title=None,
        state="lost",
        value=None,
        probability=0,
        contact_id=None,
        company_id=None,
        conversation_id=None,
        owner_id=None,
        expected_close_on=None,
        source="lead",
        loss_reason="price",
        entered_stage_at=now,
        created_at=now,
        ended_at=now,
    )
    await automation.publish(lost, org=org)
    asked = await automation.spy.expect(DealMoveRequested, lambda event: event.org == org)
    state = {name: getattr(lost, name) for name in Deal.__struct_fields__}
    moved = DealStageChanged(
        **state, from_stage_id=lost.stage_id, to_stage_id=stage, reason="Win back", seconds_in_stage=1
    )
    await automation.publish(moved, org=org)  # somebody else moved it: no answer to anybody's wish
    await automation.publish(moved, org=org, cause=asked.cause)
    (done,) = await runs_of(made["id"], "done")
    assert done["steps"][0]["request_id"] == str(asked.data.request_id)

    await automation.publish(lost, org=org)
    again = await automation.spy.expect(
        DealMoveRequested, lambda event: event.org == org and event.id != asked.id
    )
    wish = again.data
    assert (wish.deal_id, wish.stage_id, wish.reason) == (lost.deal_id, stage, "Win back")
    refused = DealMoveFailed(
        request_id=wish.request_id, deal_id=wish.deal_id, stage_id=stage, reason="not_open"
    )
    await automation.publish(refused, org=org)  # without a requestid: the answer itself names the wish
    (run,) = await runs_of(made["id"], "failed")
    assert run["reason"] == "refused: not_open"


async def test_a_message_is_asked_for_and_its_failure_is_the_runs(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    hello = {
        "type": "send_message",
        "text": "Hello {{ data.sender.name }}, one moment.",
        "purpose": "service",
    }
    made = await rule(actions=[hello])
    message = received(contact_id=new_id())
    for _ in range(2):
        await automation.publish(message, org=org)
    await runs_of(made["id"], "asking", 2)
    first, second = automation.spy.of(MessageRequested, org)
    assert (first.data.text, first.data.conversation_id) == (
        "Hello Zoë Groß, one moment.",
        message.conversation_id,
    )
    assert first.data.contact_id == message.contact_id
    out = msgspec.structs.replace(sent(message.conversation_id, 2), message_id=first.data.request_id)
    await automation.publish(out, org=org, cause=first.cause)
    refused = MessageRefused(
        request_id=second.data.request_id, conversation_id=message.conversation_id, reason="too_long"
    )
    await automation.publish(refused, org=org, cause=second.cause)
    await runs_of(made["id"], "done")
    (run,) = await runs_of(made["id"], "failed")
    assert run["reason"] == "refused: too_long"


async def test_nothing_happens_twice_with_two_replicas_and_redelivery(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule()
    async with running(service, instance=automation.instance, runs_a_minute=20) as second:
        messages = [received() for _ in range(5)]
        ids = [new_id() for _ in messages]
        for _ in range(4):
            for message, event_id in zip(messages, ids, strict=True):
                await automation.publish(message, org=org, sequence=1, event_id=event_id)
        await runs_of(made["id"], "asking", 5)
        for wish in automation.spy.of(TaskRequested, org):
            for replica in (automation, second, automation):
                await replica.publish(answer(wish.data), org=org, cause=wish.cause)
        runs = await runs_of(made["id"], "done", 5)
        # An edit makes a new version; the same events trigger nothing again.
        await automation.client(org).patch(f"/v1/rules/{made['id']}", {"condition": None})
        for message, event_id in zip(messages, ids, strict=True):
            await second.publish(message, org=org, sequence=1, event_id=event_id)
        last = await automation.publish(received(), org=org)
        (run,) = await runs_of(made["id"], "asking", 1)
    assert (run["event_id"], run["version"]) == (str(last), 2)
    assert {run["event_id"] for run in runs} == {str(event_id) for event_id in ids}
    assert len(automation.spy.of(TaskRequested, org)) == 6


async def test_an_edit_leaves_a_run_on_its_version(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    second_step = {"type": "create_task", "title": "As it was"}
    made = await rule(actions=[CREATE_TASK, second_step])
    await automation.publish(received(), org=org)
    wish = await automation.spy.expect(TaskRequested, lambda event: event.org == org)
    client = automation.client(org)
    changed = {"actions": [{"type": "create_task", "title": "As it is"}], "enabled": False}
    assert (await client.patch(f"/v1/rules/{made['id']}", changed)).status == 200
    await automation.publish(answer(wish.data), org=org, cause=wish.cause)
    again = await automation.spy.expect(
        TaskRequested, lambda event: event.org == org and event.data.title == "As it was"
    )
    await automation.publish(answer(again.data), org=org, cause=again.cause)
    (run,) = await runs_of(made["id"], "done")
    assert (run["version"], len(run["steps"])) == (1, 2)
