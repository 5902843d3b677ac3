"""The list of rules in every order that it offers."""

from typing import Any
from uuid import UUID

from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_orders


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


POSITIONS = (900, 100, 500, 500, 100, 300)


async def test_every_order_of_every_list(automation: Harness, org: UUID) -> None:
    client = automation.client(org)
    actions = [{"type": "create_task", "title": "Call"}]
    for name, position in zip(NAMES, POSITIONS, strict=True):
        rule = {"name": name, "trigger": "deal.created.v1", "actions": actions, "position": position}
        await _made(client, "/v1/rules", rule)
    assert await check_orders("automation", client, {}) == ["list_rules"]
