"""The list of deals in every order that it offers."""

from typing import Any
from uuid import UUID

from flotilla.testing import Client, Harness
from flotilla.testing.orders import NAMES, check_orders

from services.pipeline.tests.conftest import Json


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


DAYS = ("2031-03-01", None, "2030-01-01", "2030-01-01", None, "2032-01-01")
AMOUNTS = (900, 100, 500, 500, 100, 300)


async def test_every_order_of_every_list(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    assert board
    for name, day, amount in zip(NAMES, DAYS, AMOUNTS, strict=True):
        value = {"amount_minor": amount, "currency": "EUR"} if day else None
        await _made(client, "/v1/deals", {"title": name, "value": value, "expected_close_on": day})
    assert await check_orders("pipeline", client, {}) == ["list_deals"]
    found = (await client.get("/v1/deals?state=open&state=won")).json()["items"]
    assert len(found) == len(NAMES)
    assert (await client.get("/v1/deals?state=lost&state=won")).json()["items"] == []
