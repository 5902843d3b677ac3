"""Lists of rules and of what was tried with them in every order that it offers."""

from typing import Any
from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_orders


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


TRIED = """
INSERT INTO backtests (organization_id, id, trigger, actions, state, ended_at)
SELECT $1::uuid, id, 'deal.created.v1', '[]', 'done', now() FROM unnest($2::uuid[]) AS id"""
RUN = """
INSERT INTO runs (organization_id, id, rule_id, version, event_id, event_type, subject, correlation_id, depth, state,
    step, clock, explanation, started_at, ended_at)
SELECT $1::uuid, id, $2::uuid, 1, id, 'deal.created.v1', 'deal', id, 0, 'done', 1, now(), '[]', now(), now()
FROM unnest($3::uuid[]) AS id"""
POSITIONS = (900, 100, 500, 500, 100, 300)


async def test_every_order_of_every_list(automation: Harness, org: UUID) -> None:
    client = automation.client(org)
    actions = [{"type": "create_task", "title": "Call"}]
    for name, position in zip(NAMES, POSITIONS, strict=True):
        rule = {"name": name, "trigger": "deal.created.v1", "actions": actions, "position": position}
        rule_id = await _made(client, "/v1/rules", rule)
    async with automation.app.db.transaction(org) as tx:
        # How they come about is tested elsewhere.
        await tx.execute(TRIED, org, [new_id() for _ in NAMES])
        await tx.execute(RUN, org, UUID(rule_id), [new_id() for _ in NAMES])
    walked = await check_orders("automation", client, {"rule_id": rule_id})
    assert sorted(walked) == ["list_backtests", "list_rules", "list_runs"]
