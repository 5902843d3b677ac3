"""A rule whose effects trigger it again, through another service: it is stopped, and its run says why."""

from typing import Any

from flotilla.testing import eventually

from tests.e2e.conftest import NewOffice

ROUNDS = 6
"""The first, and five that it brings about itself."""


async def test_a_rule_that_feeds_itself_is_stopped(new_office: NewOffice) -> None:
    owner = (await new_office("Harbour")).owner
    again = [{"type": "create_task", "title": "Once more"}]
    wanted = {"name": "Once more", "enabled": True, "trigger": "task.created.v1", "actions": again}
    rule = await owner.ok("POST", "/v1/rules", wanted)
    async with owner.live() as live:
        await owner.ok("POST", "/v1/tasks", {"title": "Begin"})
        told = (await live.expect("trigger.failed.v1"))["data"]
    assert (told["rule_id"], told["reason"]) == (rule["id"], "loop")
    run = await owner.ok("GET", f"/v1/runs/{told['run_id']}")
    assert (run["state"], run["reason"], run["depth"], run["steps"]) == ("stopped", "loop", ROUNDS, [])

    async def over() -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = (await owner.ok("GET", f"/v1/rules/{rule['id']}/runs"))["items"]
        assert [each["state"] for each in runs].count("done") == ROUNDS, runs
        return runs

    runs = await eventually(over)
    assert sorted(each["depth"] for each in runs) == list(range(ROUNDS + 1))
    assert {each["correlation_id"] for each in runs} == {run["correlation_id"]}
    tasks = (await owner.ok("GET", "/v1/tasks"))["items"]
    assert [each["title"] for each in tasks].count("Once more") == ROUNDS
