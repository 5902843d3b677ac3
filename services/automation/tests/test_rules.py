"""Rules over HTTP: versions, preconditions, problems that point, tenancy, dry runs."""

from uuid import UUID

from flotilla.events.automation import RuleCreated, RuleUpdated
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.automation.tests.conftest import CREATE_TASK, ON_TELEGRAM, Rule, received

WAIT = {"type": "wait", "seconds": 60}


async def test_a_rule_from_its_making_to_its_end(automation: Harness, org: UUID) -> None:
    client = automation.client(org)
    body = {"name": " Refunds ", "trigger": "message.received.v1", "actions": [CREATE_TASK]}
    made = await client.post("/v1/rules", body)
    assert made.status == 201
    rule = made.json()
    assert (rule["name"], rule["enabled"], rule["version"], rule["position"]) == ("Refunds", False, 1, 1)
    created = await automation.spy.expect(RuleCreated, lambda event: event.org == org)
    assert (created.data.state, created.data.actions) == ("disabled", ["create_task"])

    path, tag = f"/v1/rules/{rule['id']}", made.headers["ETag"]
    on = await client.patch(path, {"enabled": True, "name": "Refunds!"}, headers={"If-Match": tag})
    assert (on.status, on.json()["enabled"], on.json()["version"]) == (200, True, 1)
    assert (await client.patch(path, {"enabled": False}, headers={"If-Match": tag})).status == 412
    edited = await client.patch(path, {"condition": ON_TELEGRAM})
    assert (edited.json()["version"], edited.json()["condition"]) == (2, ON_TELEGRAM)
    same = await client.patch(path, {"condition": ON_TELEGRAM})
    assert same.headers["ETag"] == edited.headers["ETag"]
    updated = await automation.spy.expect(
        RuleUpdated, lambda event: event.org == org and event.data.version == 2
    )
    assert (updated.data.changed["version"], updated.sequence) == ([1, 2], 3)

    assert (await client.delete(path, headers={"If-Match": tag})).status == 412
    assert (await client.delete(path)).status == 204
    assert (await client.get(path)).status == 404
    assert (await client.get("/v1/rules")).json()["items"] == []
    assert (await client.get(f"{path}/runs")).status == 200


async def test_what_does_not_fit_is_a_problem_that_points(automation: Harness, org: UUID) -> None:
    client = automation.client(org)
    body = {
        "name": "Wrong",
        "trigger": "deal.created.v1",
        "condition": {"all": [{"field": "data.probability", "operator": "less", "value": "many"}]},
        "actions": [{"type": "create_task", "title": "{{ data.nothing }}"}],
    }
    answer = await client.post("/v1/rules", body)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/condition/all/0/value",
        "/actions/0/title",
    ]
    unknown = await client.post("/v1/rules", {**body, "trigger": "trigger.failed.v1"})
    assert unknown.json()["errors"][0]["pointer"] == "/trigger"
    made = (await client.post("/v1/rules", {**body, "condition": None, "actions": [WAIT]})).json()
    # What it says fits the old trigger and not the new one.
    await client.patch(
        f"/v1/rules/{made['id']}",
        {"condition": {"field": "data.probability", "operator": "less", "value": 5}},
    )
    moved = await client.patch(f"/v1/rules/{made['id']}", {"trigger": "contact.created.v1"})
    assert (moved.status, moved.json()["errors"][0]["pointer"]) == (422, "/condition/field")


async def test_rules_are_paged_in_their_order(automation: Harness, org: UUID) -> None:
    client = automation.client(org)
    for name, position in (("C", 9), ("A", 1), ("B", 9)):
        body = {"name": name, "position": position, "trigger": "deal.won.v1", "actions": [WAIT]}
        assert (await client.post("/v1/rules", body)).status == 201
    first = (await client.get("/v1/rules?limit=2")).json()
    rest = (await client.get(f"/v1/rules?limit=2&cursor={first['next_cursor']}")).json()
    names = [rule["name"] for rule in (*first["items"], *rest["items"])]
    assert (names, rest["next_cursor"]) == (["A", "C", "B"], None)


async def test_another_organization_sees_nothing(automation: Harness, org: UUID, rule: Rule) -> None:
    made = await rule()
    stranger = automation.client(new_id())
    path = f"/v1/rules/{made['id']}"
    assert (await stranger.get(path)).status == 404
    assert (await stranger.patch(path, {"enabled": False})).status == 404
    assert (await stranger.delete(path)).status == 404
    assert (await stranger.get(f"{path}/runs")).status == 404
    assert (await stranger.get("/v1/rules")).json()["items"] == []
    assert (await automation.client(org, "team_member").get("/v1/rules")).status == 403
    assert (await automation.client(org, "team_owner").post("/v1/rules", {})).status == 403


async def test_the_builder_learns_fields_and_operators(automation: Harness, org: UUID) -> None:
    client = automation.client(org)
    assert "deal.stage.changed.v1" in (await client.get("/v1/triggers")).json()
    shown = (await client.get("/v1/triggers/deal.created.v1")).json()
    fields = {field["path"]: field for field in shown["fields"]}
    assert fields["data.value.amount_minor"]["kind"] == "number"
    assert "at_least" in fields["data.value.amount_minor"]["operators"]
    assert fields["data.title"]["personal"] is True
    assert (await client.get("/v1/triggers/nothing.v1")).status == 404


async def test_a_dry_run_says_what_would_happen_and_does_nothing(
    automation: Harness, org: UUID, rule: Rule
) -> None:
    await rule(condition={"field": "data.channel", "operator": "equals", "value": "email"})
    kept = received(text="Hello")
    await automation.publish(kept, org=org)
    client = automation.client(org)
    body = {
        "trigger": "message.received.v1",
        "condition": {
            "all": [ON_TELEGRAM, {"field": "data.text", "operator": "contains", "value": "refund"}]
        },
        "actions": [CREATE_TASK, {"type": "no_reply", "seconds": 60, "by": "team"}],
        "recent": 10,
    }

    async def tried() -> bool:
        return len((await client.post("/v1/rules/dry-run", body)).json()["items"]) == 1

    await eventually(tried, what="the event is kept")
    sample = {
        name: getattr(kept, name)
        for name in kept.__struct_fields__
        if name not in ("text", "changed", "sender")
    }
    sample |= {"text": "A refund, please", "sender": {"address": "1", "name": "Zoë"}}
    answer = await client.post("/v1/rules/dry-run", {**body, "events": [{"data": sample}]})
    assert answer.status == 200, answer.json()
    given, recent = answer.json()["items"]
    assert (given["source"], given["matched"]) == ("sample", True)
    assert [action["type"] for action in given["actions"]] == ["create_task", "no_reply"]
    assert given["actions"][0]["title"] == "Call Zoë"
    assert (recent["matched"], recent["nearly"], recent["actions"]) == (False, True, [])
    assert [each["holds"] for each in recent["conditions"]] == [True, False]
    wrong = await client.post(
        "/v1/rules/dry-run", {**body, "events": [{"data": {**sample, "position": "x"}}]}
    )
    assert wrong.json()["errors"][0]["pointer"] == "/events/0/data/position"
