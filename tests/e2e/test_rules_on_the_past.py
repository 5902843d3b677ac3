"""A rule tried on what has happened, with the archive's own events."""

from typing import Any

from flotilla.testing import eventually

from tests.e2e.conftest import NewOffice


async def test_a_rule_is_tried_on_the_archive(new_office: NewOffice) -> None:
    owner = (await new_office("Harbour")).owner
    for title in ("200 mugs", "10 plates"):
        await owner.ok("POST", "/v1/deals", {"title": title})
    condition = {"field": "data.title", "operator": "contains", "value": "mugs"}
    actions = [{"type": "create_task", "title": "Thank them for {{ data.title }}"}]

    async def found() -> dict[str, Any]:
        # Events are archived a moment after they happened: what is not there yet is found the next time.
        rule = {"trigger": "deal.created.v1", "condition": condition, "actions": actions}
        begun = await owner.ok("POST", "/v1/rules/backtests", rule)

        async def over() -> dict[str, Any]:
            shown: dict[str, Any] = await owner.ok("GET", f"/v1/rules/backtests/{begun['id']}")
            assert shown["state"] != "reading", shown
            return shown

        shown = await eventually(over)
        assert (shown["state"], shown["looked"]) == ("done", 2), shown
        return shown

    shown = await eventually(found, seconds=40)
    assert (shown["matched"], shown["nearly"]) == (1, 1)
    assert [each["actions"] for each in shown["examples"]] == [["create_task"]]
    assert (await owner.ok("GET", "/v1/tasks"))["items"] == []
