"""Rules that wait for a time: wall clocks, changes of clocks, restarts, times that nobody was there for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.automation import RuleTriggered, ScheduleDue
from flotilla.events.crm import TaskRequested
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.isolation import isolated
from flotilla_automation.domain.reading import Mistakes
from flotilla_automation.domain.schedules import Schedule, read_schedule
from flotilla_automation.service import service

from services.automation.tests.conftest import Rule, Runs

EVERY_MINUTE: dict[str, Any] = {"cron": "* * * * *", "time_zone": "UTC"}
REPORT: dict[str, Any] = {"type": "create_task", "title": "Report of {{ data.due_at }}"}


def scheduled(**fields: Any) -> dict[str, Any]:
    return {
        "trigger": "schedule.due.v1",
        "condition": None,
        "actions": [REPORT],
        "schedule": EVERY_MINUTE,
    } | fields


async def pass_time(harness: Harness, rule_id: str, minutes: int = 1) -> datetime:
    """As if the rule had been armed so many minutes earlier: when it was due first."""
    due = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes - 1)
    await harness.app.db.execute(
        "UPDATE jobs SET due_at = $2, payload = jsonb_set(payload::jsonb, '{due_at}', to_jsonb($3::text))"
        " WHERE kind = 'schedule_due' AND key = $1",
        rule_id,
        due,
        due.isoformat(),
    )
    harness.app.jobs_wake.set()
    return due


async def armed(harness: Harness, rule_id: str) -> datetime | None:
    """When its timer fires next."""
    sql = "SELECT due_at FROM jobs WHERE kind = 'schedule_due' AND key = $1"
    found: datetime | None = await harness.app.db.fetchval(sql, rule_id)
    return found


async def test_a_rule_runs_at_its_time_and_again(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(**scheduled())
    assert made["next_due_at"]
    await rule(**scheduled(schedule={"cron": "0 0 1 1 *", "time_zone": "Europe/Kyiv"}))
    due_at = await pass_time(automation, made["id"])
    told = await automation.spy.expect(ScheduleDue, lambda event: event.org == org)
    assert (str(told.data.rule_id), told.data.due_at, told.data.missed) == (made["id"], due_at, 0)
    wish = await automation.spy.expect(TaskRequested, lambda event: event.org == org)
    assert wish.data.title == f"Report of {due_at.isoformat()}"
    (run,) = await runs_of(made["id"], "asking")
    assert (run["event_type"], run["event_id"]) == ("schedule.due.v1", str(told.id))

    async def again() -> bool:
        next_at = await armed(automation, made["id"])
        return next_at is not None and next_at > datetime.now(UTC)

    await eventually(again)
    assert len(automation.spy.of(RuleTriggered, org)) == 1  # the other rule waits for its own time


async def test_a_time_fires_once_however_often_its_timer_does(
    automation: Harness, org: UUID, rule: Rule, runs_of: Runs
) -> None:
    made = await rule(**scheduled())
    due_at = await pass_time(automation, made["id"])
    await runs_of(made["id"], "asking")
    await automation.app.db.execute(
        "UPDATE jobs SET due_at = $2, payload = jsonb_set(payload::jsonb, '{due_at}', to_jsonb($3::text))"
        " WHERE kind = 'schedule_due' AND key = $1",
        made["id"],
        due_at,
        due_at.isoformat(),
    )
    automation.app.jobs_wake.set()

    async def fired() -> bool:
        next_at = await armed(automation, made["id"])
        return next_at is not None and next_at > due_at

    await eventually(fired)
    runs = (await automation.client(org).get(f"/v1/rules/{made['id']}/runs")).json()["items"]
    # At most one more, where a minute began meanwhile: never two of one time.
    assert len({run["event_id"] for run in runs}) == len(runs)
    assert sum(run["event_id"] == runs[-1]["event_id"] for run in runs) == 1


async def test_disabled_it_waits_for_nothing_and_a_change_arms_it_anew(
    automation: Harness, org: UUID, rule: Rule
) -> None:
    made = await rule(**scheduled())
    client = automation.client(org)
    path = f"/v1/rules/{made['id']}"
    before = await armed(automation, made["id"])
    assert (await client.patch(path, {"name": "Renamed"})).status == 200
    assert await armed(automation, made["id"]) == before
    hourly = {"cron": "0 * * * *", "time_zone": "UTC"}
    changed = await client.patch(path, {"schedule": hourly})
    assert (changed.json()["version"], changed.json()["schedule"]) == (2, hourly)
    after = await armed(automation, made["id"])
    assert after is not None
    assert after.minute == 0
    assert (await client.patch(path, {"enabled": False})).json()["next_due_at"] is None
    assert await armed(automation, made["id"]) is None
    assert (await client.patch(path, {"enabled": True})).status == 200
    assert await armed(automation, made["id"]) == after
    assert (await client.delete(path)).status == 204
    assert await armed(automation, made["id"]) is None


async def test_times_that_came_while_nobody_was_there_run_once(org: UUID) -> None:
    async with isolated(service, "missed") as instance:
        async with running(service, instance=instance) as first:
            body = {"name": "Report", "enabled": True, **scheduled()}
            rule_id = str((await first.client(org).post("/v1/rules", body)).json()["id"])
        async with running(service, instance=instance, lanes_paused=True) as stopped:
            due_at = await pass_time(stopped, rule_id, minutes=5)
        async with running(service, instance=instance) as second:
            told = await second.spy.expect(ScheduleDue, lambda event: event.org == org)
            assert told.data.missed in (4, 5)  # a minute may have begun meanwhile
            assert told.data.due_at - due_at == timedelta(minutes=told.data.missed)
            await second.spy.expect(TaskRequested, lambda event: event.org == org)
            assert len(second.spy.of(RuleTriggered, org)) == 1


@pytest.mark.parametrize(
    ("schedule", "pointer"),
    [
        (None, "/schedule"),
        ({"cron": "* * * * *"}, "/schedule"),
        ({"cron": "* * * * * *", "time_zone": "UTC"}, "/schedule/cron"),
        ({"cron": "61 * * * *", "time_zone": "UTC"}, "/schedule/cron"),
        ({"cron": "0 0 30 2 *", "time_zone": "UTC"}, "/schedule/cron"),
        ({"cron": "* * * * *", "time_zone": "Mars/Base"}, "/schedule/time_zone"),
    ],
)
async def test_a_time_that_cannot_be_meant_is_pointed_at(
    automation: Harness, org: UUID, schedule: Any, pointer: str
) -> None:
    body = {"name": "Odd", **scheduled(schedule=schedule)}
    answer = await automation.client(org).post("/v1/rules", body)
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_only_a_rule_that_waits_for_a_time_has_one(automation: Harness, org: UUID) -> None:
    body = {
        "name": "Odd",
        **scheduled(trigger="message.received.v1", actions=[{"type": "wait", "seconds": 1}]),
    }
    answer = await automation.client(org).post("/v1/rules", body)
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/schedule")
    assert "schedule.due.v1" in (await automation.client(org).get("/v1/triggers")).json()


@pytest.mark.parametrize(
    ("cron", "after", "times"),
    [
        # Clocks go forward at 02:00: what is skipped is due right after.
        (
            "30 2 * * *",
            "2026-03-28T12:00:00+01:00",
            ["2026-03-29T01:00:00+00:00", "2026-03-30T00:30:00+00:00"],
        ),
        # They go back at 03:00: what comes twice is due the first time.
        (
            "30 2 * * *",
            "2026-10-24T12:00:00+02:00",
            ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"],
        ),
        (
            "0 9 * * 1-5",
            "2026-10-23T10:00:00+02:00",
            ["2026-10-26T08:00:00+00:00", "2026-10-27T08:00:00+00:00"],
        ),
    ],
)
def test_wall_clocks(cron: str, after: str, times: list[str]) -> None:
    schedule, found = Schedule(cron, "Europe/Berlin"), []
    moment = datetime.fromisoformat(after)
    for _ in times:
        next_at = schedule.after(moment)
        assert next_at is not None
        moment = next_at
        found.append(moment.isoformat())
    assert found == times


def test_missed_times_are_counted() -> None:
    schedule = Schedule("0 * * * *", "UTC")
    first = datetime(2026, 5, 1, 12, tzinfo=UTC)
    due = schedule.due(first, first + timedelta(hours=3, minutes=59))
    assert (due.at, due.missed) == (first + timedelta(hours=3), 3)
    on_time = schedule.due(first, first + timedelta(seconds=1))
    assert (on_time.at, on_time.missed) == (first, 0)
    mistakes = Mistakes()
    assert read_schedule({"cron": " 0  9 * * MON", "time_zone": "Asia/Tokyo"}, mistakes)
    assert mistakes.found == []
