"""Deals that nobody touches are said to rot: once, and again only after somebody did."""

from uuid import UUID

import pytest
from flotilla.events.pipeline import DealRotted
from flotilla.testing import Client, Harness, eventually
from flotilla_pipeline import rotting

from services.pipeline.tests.conftest import Json

AGE = "UPDATE deals SET touched_at = now() - interval '8 days' WHERE organization_id = $1"
LOOK_NOW = """
UPDATE jobs SET due_at = now() WHERE organization_id = $1 AND kind = 'rotting' AND due_at > now() RETURNING id"""


@pytest.fixture
def sales(pipeline: Harness, org: UUID) -> Client:
    return pipeline.client(org)


async def _deal(sales: Client, board: Json, stage: str = "New") -> Json:
    wanted = {
        "title": "Ten boats",
        "stage_id": board[stage],
        "value": {"amount_minor": 100, "currency": "EUR"},
    }
    answer = await sales.post("/v1/deals", wanted)
    assert answer.status == 201
    made: Json = answer.json()
    return made


async def _rots_after(sales: Client, board: Json, stage: str, days: int | None) -> None:
    path = f"/v1/pipelines/{board['id']}/stages/{board[stage]}"
    answer = await sales.patch(path, {"rots_after_days": days})
    assert (answer.status, answer.json()["rots_after_days"]) == (200, days)


async def _a_week_passes(pipeline: Harness, org: UUID) -> None:
    async with pipeline.app.db.transaction(org) as tx:
        await tx.execute(AGE, org)

    async def looks() -> bool:
        return await pipeline.app.db.fetchval(LOOK_NOW, org) is not None

    await eventually(looks, what="the next look is due")


async def _rotted(pipeline: Harness, org: UUID, number: int) -> list[DealRotted]:
    async def told() -> bool:
        return len(pipeline.spy.of(DealRotted, org)) == number

    await eventually(told, what=f"{number} told of")
    return [event.data for event in pipeline.spy.of(DealRotted, org)]


async def test_a_deal_rots_once_until_it_is_touched(
    pipeline: Harness, org: UUID, sales: Client, board: Json
) -> None:
    deal = await _deal(sales, board)
    elsewhere = await _deal(sales, board, "Proposal")
    await _rots_after(sales, board, "New", 7)
    await _a_week_passes(pipeline, org)
    (told,) = await _rotted(pipeline, org, 1)
    assert (str(told.deal_id), told.days_untouched) == (deal["id"], 7)
    read = (await sales.get(f"/v1/deals/{deal['id']}")).json()
    assert read["rotted_at"] is not None
    assert (await sales.get(f"/v1/deals/{elsewhere['id']}")).json()["rotted_at"] is None

    await _a_week_passes(pipeline, org)
    changed = await sales.patch(f"/v1/deals/{deal['id']}", {"title": "Twelve boats"})
    assert changed.json()["rotted_at"] is None
    assert len(pipeline.spy.of(DealRotted, org)) == 1
    await _a_week_passes(pipeline, org)
    again = await _rotted(pipeline, org, 2)
    assert {event.deal_id for event in again} == {told.deal_id}


async def test_more_than_are_told_of_at_once(
    pipeline: Harness, org: UUID, sales: Client, board: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotting, "AT_ONCE", 2)
    deals = {(await _deal(sales, board))["id"] for _ in range(5)}
    await _rots_after(sales, board, "New", 7)
    await _a_week_passes(pipeline, org)
    assert {str(told.deal_id) for told in await _rotted(pipeline, org, 5)} == deals


async def test_a_stage_that_lets_them_stand_again(
    pipeline: Harness, org: UUID, sales: Client, board: Json
) -> None:
    await _deal(sales, board)
    await _rots_after(sales, board, "New", 7)
    await _rots_after(sales, board, "New", None)
    async with pipeline.app.db.transaction(org) as tx:
        assert not await tx.fetchval(
            "SELECT count(*) FROM jobs WHERE kind = 'rotting' AND organization_id = $1", org
        )


async def test_only_open_deals_rot(sales: Client, board: Json) -> None:
    path = f"/v1/pipelines/{board['id']}/stages"
    assert (await sales.patch(f"{path}/{board['Won']}", {"rots_after_days": 7})).status == 409
    lost = {"name": "Gone", "kind": "lost", "probability": 0, "rots_after_days": 7}
    assert (await sales.post(path, lost)).status == 422
    assert (await sales.post(path, {**lost, "kind": "open", "rots_after_days": 0})).status == 422
