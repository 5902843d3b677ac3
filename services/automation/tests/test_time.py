"""Delays, replies that do not come, answers that are overdue, webhooks; across a restart too."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web
from flotilla.events.automation import TriggerExecuted, TriggerFailed
from flotilla.events.crm import TaskRequested
from flotilla.ids import new_id
from flotilla.security.webhooks import key_of, verify
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.isolation import isolated
from flotilla_automation.service import service

from services.automation.tests.conftest import CREATE_TASK, Rule, Runs, come_due, received, sent


def no_reply(seconds: int, by: str = "team") -> dict[str, Any]:
    return {"type": "no_reply", "seconds": seconds, "by": by}


async def test_a_reply_that_does_not_come_is_acted_on(automation: Harness, org: UUID, rule: Rule) -> None:
    await rule(actions=[no_reply(1), CREATE_TASK])
    message = received()
    await automation.publish(message, org=org)
    await automation.publish(message, org=org)  # the customer's own further words are no reply of the team
    wish = await automation.spy.expect(TaskRequested, lambda event: event.org == org)
    assert wish.data.conversation_id == message.conversation_id


async def test_a_reply_ends_the_wait(automation: Harness, org: UUID, rule: Rule, runs_of: Runs) -> None:
    made = await rule(actions=[no_reply(3600), CREATE_TASK])
    message = received(position=4)
    await automation.publish(message, org=org)
    await runs_of(made["id"], "awaiting_reply")
    await automation.publish(sent(message.conversation_id, 3), org=org)  # it was sent before
    await automation.publish(sent(new_id(), 5), org=org)  # somebody else's
    await automation.publish(sent(message.conversation_id, 5), org=org)
    ended = await automation.spy.expect(TriggerExecuted, lambda event: event.org == org)
    assert ended.data.outcome == "ended"
    (run,) = await runs_of(made["id"], "ended")
    assert (run["reason"], [step["state"] for step in run["steps"]]) == ("the team wrote", ["ended"])
    assert await automation.app.db.fetchval("SELECT count(*) FROM jobs WHERE organization_id = $1", org) == 0


async def test_a_reply_that_came_first_counts_too(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(actions=[no_reply(3600), CREATE_TASK])
    message = received(position=1)
    await automation.publish(sent(message.conversation_id, 2), org=org)

    async def noted() -> bool:
        async with automation.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM conversation_positions"))

    await eventually(noted)
    await automation.publish(message, org=org)
    (run,) = await runs_of(made["id"], "ended")
    assert run["reason"] == "the team wrote"


async def test_the_customer_who_writes_again_ends_the_follow_up(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(
        trigger="message.sent.v1",
        condition=None,
        actions=[no_reply(3600, "customer"), {"type": "create_task", "title": "Ask again"}],
    )
    reply = sent(new_id(), 2)
    await automation.publish(reply, org=org)
    await runs_of(made["id"], "awaiting_reply")
    await automation.publish(received(conversation_id=reply.conversation_id, position=3), org=org)
    await runs_of(made["id"], "ended")


async def test_an_answer_that_does_not_come_fails_the_run(automation: Harness, org: UUID) -> None:
    async with (
        isolated(service, "unanswered") as instance,
        running(service, instance=instance, answer_seconds=0.3) as alone,
    ):
        await _make(alone, org, [CREATE_TASK])
        await alone.publish(received(), org=org)
        failed = await alone.spy.expect(TriggerFailed, lambda event: event.org == org)
        assert failed.data.reason == "unanswered"


async def test_a_delay_outlives_the_process(org: UUID) -> None:
    async with isolated(service, "restart") as instance:
        async with running(service, instance=instance) as first:
            rule_id = await _make(first, org, [{"type": "wait", "seconds": 3600}, CREATE_TASK])
            await first.publish(received(), org=org)
            await _waits(first, org, rule_id)
            assert not first.spy.of(TaskRequested, org)
        async with running(service, instance=instance) as second:
            await come_due(second, org)
            wish = await second.spy.expect(TaskRequested, lambda event: event.org == org)
            assert wish.data.title == "Call Zoë Groß"
            # The lane was bound again from the database; a new event finds its rule.
            await second.publish(received(), org=org)
            await _waits(second, org, rule_id)
            await come_due(second, org)
            await second.spy.expect(TaskRequested, lambda event: event.org == org and event.id != wish.id)


async def test_a_broker_that_forgot_the_bindings_learns_them_at_the_start(org: UUID) -> None:
    async with isolated(service, "rebound") as instance:
        async with running(service, instance=instance) as first:
            await _make(first, org, [CREATE_TASK])
            await first.app.own.bound.lane.unbind(["message.received.v1"])
        async with running(service, instance=instance) as second:
            client = second.client(org)

            async def comes() -> bool:
                await second.publish(received(), org=org)
                return bool(second.spy.of(TaskRequested, org))

            await eventually(comes)
            assert (await client.get("/v1/rules")).status == 200


@dataclass
class Receiver:
    """Another program's webhook."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    """Statuses to give, the first ones first; 200 when none is left."""
    requests: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.came.set()
        return web.Response(status=status)


@asynccontextmanager
async def receiver(*answers: int) -> AsyncIterator[Receiver]:
    """A real server on any free port."""
    found = Receiver(answers=list(answers))
    application = web.Application()
    application.router.add_post("/hook", found.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    found.url = f"http://{host}:{port}/hook"
    try:
        yield found
    finally:
        await runner.cleanup()


async def test_a_webhook_is_signed_tried_again_and_told_once(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    async with receiver(503) as hook:
        made = await rule(actions=[{"type": "call_webhook", "url": hook.url}])
        event_id = await automation.publish(received(), org=org)
        (run,) = await runs_of(made["id"], "done")
        assert len(hook.requests) == 2
        secret = (await automation.client(org).get("/v1/rules/signing-secret")).json()["secret"]
        ids = set()
        for headers, body in hook.requests:
            lower = {name.lower(): value for name, value in headers.items()}
            ids.add(verify(key_of(secret), lower, body))
            told = msgspec.json.decode(body)
            assert (told["run_id"], told["event"]["id"]) == (run["id"], str(event_id))
        assert ids == {f"msg_{run['id']}_0"}
        other = (await automation.client(new_id()).get("/v1/rules/signing-secret")).json()["secret"]
        assert other != secret


async def test_a_webhook_that_refuses_ends_the_run(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    async with receiver(410) as hook:
        made = await rule(actions=[{"type": "call_webhook", "url": hook.url}, CREATE_TASK])
        await automation.publish(received(), org=org)
        (run,) = await runs_of(made["id"], "failed")
        assert (run["reason"], len(hook.requests)) == ("webhook: answered 410", 1)
        assert not automation.spy.of(TaskRequested, org)


async def test_a_webhook_in_our_own_network_is_not_called(org: UUID) -> None:
    async with (
        receiver() as hook,
        isolated(service, "private") as instance,
        running(service, instance=instance, private_addresses_allowed=False) as alone,
    ):
        await _make(alone, org, [{"type": "call_webhook", "url": hook.url}])
        await alone.publish(received(), org=org)
        failed = await alone.spy.expect(TriggerFailed, lambda event: event.org == org)
        assert failed.data.reason.startswith("webhook: ")
        assert hook.requests == []


async def _waits(harness: Harness, org: UUID, rule_id: str) -> None:
    """Until the rule's newest run waits for its time."""
    client = harness.client(org)

    async def waiting() -> bool:
        runs = (await client.get(f"/v1/rules/{rule_id}/runs")).json()["items"]
        return bool(runs) and runs[0]["state"] == "waiting"

    await eventually(waiting)


async def _make(harness: Harness, org: UUID, actions: list[dict[str, Any]]) -> str:
    body = {"name": "Alone", "enabled": True, "trigger": "message.received.v1", "actions": actions}
    answer = await harness.client(org).post("/v1/rules", body)
    assert answer.status == 201, answer.json()
    return str(answer.json()["id"])
