"""Pipelines, deals, their moves and sagas in every order that their lists offer."""

from typing import Any
from uuid import UUID

from flotilla.testing import Client, Harness, eventually
from flotilla.testing.orders import NAMES, check_list, check_orders

from services.pipeline.tests.conftest import Json, a_deal, moved


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


DAYS = ("2031-03-01", None, "2030-01-01", "2030-01-01", None, "2032-01-01")
AMOUNTS = (900, 100, 500, 500, 100, 300)
STAGE = {"name": "New", "probability": 10}


async def test_every_order_of_every_list(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    for name, day, amount in zip(NAMES, DAYS, AMOUNTS, strict=True):
        value = {"amount_minor": amount, "currency": "EUR"} if day else None
        await _made(client, "/v1/deals", {"title": name, "value": value, "expected_close_on": day})
        await _made(client, "/v1/pipelines", {"name": name, "stages": [STAGE]})
    deal = await a_deal(pipeline, org)
    for stage in ("Qualified", "New", "Qualified", "New", "Qualified"):
        deal = await moved(pipeline, org, deal, board[stage])
    walked = await check_orders("pipeline", client, {"deal_id": deal["id"]})
    assert sorted(walked) == ["list_deals", "list_moves", "list_pipelines"]
    found = (await client.get("/v1/deals?state=open&state=won")).json()["items"]
    assert len(found) == len(NAMES) + 1
    assert (await client.get("/v1/deals?state=lost&state=won")).json()["items"] == []


async def test_sagas_are_listed_whole_in_either_order(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    for _ in range(4):
        await moved(pipeline, org, await a_deal(pipeline, org), board["Won"])

    async def begun() -> bool:
        return len((await client.get("/v1/sagas/pipeline")).json()["items"]) == 4

    await eventually(begun, what="each has a saga")
    await check_list(client, "/v1/sagas/pipeline", ["-created_at", "created_at"])
    await check_list(client, "/v1/sagas/pipeline", ["-created_at", "created_at"], state="running")
