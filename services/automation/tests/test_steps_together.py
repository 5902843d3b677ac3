"""Steps that come due together: in one transaction, with as many statements as one. The loops stand still: the tests
turn them. Real servers."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.envelope import encode
from flotilla.bus.jobs import job_of
from flotilla.bus.timers import TAKE_TIMERS, TimerLoop
from flotilla.cause import Cause
from flotilla.ids import new_id
from flotilla.store.postgres import Row
from flotilla.testing import Harness
from flotilla.testing.bills import charged, watch
from flotilla.testing.plugin import StartService
from flotilla_automation.handlers import take_replies
from flotilla_automation.own import LANE
from flotilla_automation.running import STEP_DUE, StepPayload, understand
from flotilla_automation.steps import step_due
from flotilla_automation.store.runs import Written

from services.automation.tests.conftest import CREATE_TASK, received

WAIT: dict[str, Any] = {"type": "wait", "seconds": 3600}
NO_REPLY: dict[str, Any] = {"type": "no_reply", "seconds": 3600, "by": "team"}
SALE: dict[str, Any] = {"type": "send_message", "text": "Our summer sale!", "purpose": "promotion"}
HOOK: dict[str, Any] = {"type": "call_webhook", "url": "https://example.com/hook"}
MANY = 5


@pytest.fixture(scope="session")
async def still(start_service: StartService) -> AsyncIterator[Harness]:
    """Automation without its loops."""
    async with start_service("automation", lanes_paused=True, runs_a_minute=100) as harness:
        yield harness


@dataclass
class Office:
    """An organization, whose runs a test moves by hand."""

    still: Harness
    org: UUID

    async def rule(self, *actions: dict[str, Any]) -> UUID:
        """An enabled rule that messages trigger."""
        body = {"name": "Follow up", "enabled": True, "trigger": "message.received.v1", "actions": actions}
        answer = await self.still.client(self.org).post("/v1/rules", body)
        assert answer.status == 201, answer.json()
        return UUID(answer.json()["id"])

    async def write(self, count: int) -> list[UUID]:
        """So many messages of customers, each in a conversation of its own: those."""
        messages = [received() for _ in range(count)]
        settings = self.still.app.settings
        bodies = [
            encode(
                message,
                org=self.org,
                sequence=1,
                cause=Cause.fresh("service:test"),
                region=settings.region,
                service="messaging",
            ).body
            for message in messages
        ]
        await Dispatcher(self.still.app, LANE).handle(bodies)
        return [message.conversation_id for message in messages]

    async def come_due(self) -> None:
        """As if the time had passed."""
        sooner = "UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = $2"
        await self.still.app.db.execute(sooner, self.org, STEP_DUE)

    async def turn(self) -> None:
        """What is due is done."""
        await TimerLoop(self.still.app, step_due).turn()

    async def timers(self) -> list[Row]:
        """Steps that are to end at a time."""
        of_org = "SELECT * FROM jobs WHERE organization_id = $1 AND kind = $2"
        return await self.still.app.db.fetch(of_org, self.org, STEP_DUE)

    async def set_again(self, timers: Sequence[Row], word: str) -> None:
        """The same timers once more, under other keys, due now."""
        again = """
            INSERT INTO jobs (id, organization_id, kind, key, payload, cause, due_at)
            SELECT $1, $2, $3, $4, $5, $6, now()"""
        for row in timers:
            values = (
                row["organization_id"],
                row["kind"],
                f"{row['key']}:{word}",
                row["payload"],
                row["cause"],
            )
            await self.still.app.db.execute(again, new_id(), *values)

    async def forget_timers(self) -> None:
        """Nothing more comes due."""
        await self.still.app.db.execute("DELETE FROM jobs WHERE organization_id = $1", self.org)

    async def rewrite(self, run_id: UUID, event: str) -> str:
        """Put this in the place of the event that a run keeps: what stood there."""
        async with self.still.app.db.transaction(self.org) as tx:
            kept = "SELECT event FROM runs WHERE organization_id = $1 AND id = $2"
            before = str(await tx.fetchval(kept, self.org, run_id))
            put = "UPDATE runs SET event = $3 WHERE organization_id = $1 AND id = $2"
            await tx.execute(put, self.org, run_id, event)
        return before

    async def stands(self, rule_id: UUID) -> list[tuple[str, int, str | None]]:
        """State, step and reason of the rule's runs, the oldest first."""
        async with self.still.app.db.transaction(self.org) as tx:
            of_rule = (
                "SELECT state, step, reason FROM runs WHERE organization_id = $1 AND rule_id = $2 ORDER BY id"
            )
            return [tuple(row.values()) for row in await tx.fetch(of_rule, self.org, rule_id)]

    async def told(self) -> Counter[str]:
        """Types of events to how often each was told; the same fact or wish twice is a mistake."""
        rows = await self.still.app.db.fetch("SELECT body FROM outbox")
        events = [
            event for row in rows if (event := understand(row["body"])).envelope.organizationid == self.org
        ]
        whats = Counter(
            (each.envelope.type, each.envelope.subject, each.envelope.requestid) for each in events
        )
        assert set(whats.values()) <= {1}, whats
        return Counter(type_ for type_, _, _ in whats)


@pytest.fixture
def office(still: Harness, org: UUID) -> Office:
    """One of its own for each test."""
    return Office(still, org)


async def test_many_ask_as_often_as_one_whatever_they_waited_for(office: Office) -> None:
    cases = (
        ((WAIT, WAIT), ("waiting", 1)),
        ((WAIT, CREATE_TASK), ("asking", 1)),
        ((WAIT, HOOK), ("calling", 1)),
        ((WAIT,), ("done", 1)),
        ((NO_REPLY, NO_REPLY), ("awaiting_reply", 1)),
        ((NO_REPLY, SALE), ("failed", 1)),
        ((CREATE_TASK, CREATE_TASK), ("failed", 0)),
    )
    expected = {await office.rule(*actions): stands for actions, stands in cases}
    app = office.still.app
    await watch(app.db.pool, app.settings.postgres_connections)
    bills = []
    for count in (1, MANY):
        await office.write(count)
        await office.come_due()
        with charged() as bill:
            await office.turn()
        bills.append(bill.statements)
        await office.forget_timers()
    one, many = bills
    assert one["COMMIT"] == 1, "they are of one transaction, not done again each alone"
    assert not many - one, "as much for many"
    for rule_id, stands in expected.items():
        assert [each[:2] for each in await office.stands(rule_id)] == [stands] * (1 + MANY)
    told = await office.told()
    assert told["task.requested.v1"] == 2 * (1 + MANY)
    assert (told["trigger.executed.v1"], told["trigger.failed.v1"]) == (1 + MANY, 2 * (1 + MANY))


async def test_one_that_cannot_go_on_neither_holds_up_nor_undoes_the_others(office: Office) -> None:
    rule_id = await office.rule(WAIT, CREATE_TASK)
    await office.write(MANY)
    bad, *_ = await office.timers()
    run_id = UUID(bad["payload"]["run_id"])
    event = await office.rewrite(run_id, "{")
    await office.come_due()
    await office.turn()
    stands = await office.stands(rule_id)
    assert Counter(stands) == {("asking", 1, None): MANY - 1, ("waiting", 0, None): 1}
    assert (await office.told())["task.requested.v1"] == MANY - 1
    kept = {row["key"]: row for row in await office.timers()}[bad["key"]]
    assert (kept["attempts"], bool(kept["error"])) == (1, True), "it is tried again, later"

    await office.rewrite(run_id, event)
    await office.still.app.db.execute("UPDATE jobs SET due_at = now() WHERE key = $1", bad["key"])
    await office.turn()
    assert await office.stands(rule_id) == [("asking", 1, None)] * MANY
    assert (await office.told())["task.requested.v1"] == MANY


async def test_timers_that_come_twice_at_once_or_later_do_nothing_twice(office: Office) -> None:
    rule_id = await office.rule(WAIT, CREATE_TASK)
    await office.write(MANY)
    first = await office.timers()
    await office.set_again(first, "again")
    await office.come_due()
    await office.turn()
    stood = await office.stands(rule_id)
    assert stood == [("asking", 1, None)] * MANY
    assert (await office.told())["task.requested.v1"] == MANY

    await office.set_again(first, "and again")  # of a step that is over
    await office.turn()
    assert await office.stands(rule_id) == stood
    assert (await office.told())["task.requested.v1"] == MANY
    assert len(await office.timers()) == MANY, "for the answers"


async def test_what_dies_in_the_middle_is_done_again_whole(office: Office) -> None:
    rule_id = await office.rule(WAIT, CREATE_TASK)
    await office.write(MANY)
    await office.come_due()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await _die_at_the_end(office)
    assert await office.stands(rule_id) == [("waiting", 0, None)] * MANY
    assert not (await office.told())["task.requested.v1"]
    await office.turn()
    assert await office.stands(rule_id) == [("asking", 1, None)] * MANY
    assert (await office.told())["task.requested.v1"] == MANY


async def _die_at_the_end(office: Office) -> None:
    """Do what is due, and lose Postgres before the commit."""
    due = [row["id"] for row in await office.timers()]
    assert step_due.fire_all is not None
    async with office.still.app.db.transaction(office.org) as tx:
        taken = await tx.fetch(TAKE_TIMERS, due)
        await step_due.fire_all(tx, [job_of(row, StepPayload) for row in taken])
        assert len(tx.emitted) == MANY
        await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_reply_that_is_being_taken_is_not_waited_for_and_the_others_go_on(office: Office) -> None:
    """The circle: the lane holds a run and will take back its timer, which the batch holds, and wants the run."""
    rule_id = await office.rule(NO_REPLY, CREATE_TASK)
    [replied, *_] = await office.write(MANY)
    await office.come_due()
    async with office.still.app.db.transaction(office.org) as lane:
        await take_replies(lane, [Written(office.org, replied, "team", 2)])
        await office.turn()
    assert Counter(await office.stands(rule_id)) == {
        ("asking", 1, None): MANY - 1,
        ("ended", 0, "the team wrote"): 1,
    }
    assert (await office.told())["task.requested.v1"] == MANY - 1
    assert len(await office.timers()) == MANY - 1
