"""The list of counterparties in every order that it offers."""

from typing import Any
from uuid import UUID

from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_orders


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


async def test_every_order_of_every_list(kyb: Harness, org: UUID) -> None:
    client = kyb.client(org)
    for name in NAMES:
        await _made(client, "/v1/counterparties", {"name": name, "country": "DE", "monitoring": "none"})
    walked = await check_orders("kyb", client, {}, without={"list_counterparty_alerts"})
    assert walked == ["list_counterparties"]
