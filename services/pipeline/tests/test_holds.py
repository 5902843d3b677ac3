"""A deal that is held cannot be won until every hold is released."""

from functools import partial
from typing import Any
from uuid import UUID

from flotilla.events.base import Event
from flotilla.events.pipeline import (
    DealHeld,
    DealHoldFailed,
    DealHoldRequested,
    DealReleased,
    DealReleaseFailed,
    DealReleaseRequested,
)
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.pipeline.tests.conftest import Json


async def _ask(pipeline: Harness, org: UUID, wish: Event, answer: type[Event]) -> Event:
    request_id = wish.request_id  # type: ignore[attr-defined]
    await pipeline.publish(wish, org=org)
    event = await pipeline.spy.expect(answer, lambda event: event.envelope.requestid == request_id)
    told: Event = event.data
    return told


def _is_of(hold_id: UUID, event: Any) -> bool:
    return bool(event.data.hold_id == hold_id)


async def test_a_deal_is_held_by_two_and_released_by_both(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    wanted = {"title": "Ten boats", "value": {"amount_minor": 100, "currency": "EUR"}}
    deal_id = UUID((await client.post("/v1/deals", wanted)).json()["id"])
    holds = [new_id(), new_id()]
    for hold_id in holds:
        wish = DealHoldRequested(
            request_id=new_id(), deal_id=deal_id, hold_id=hold_id, reason="Ink GmbH is being checked."
        )
        await _ask(pipeline, org, wish, DealHeld)
    path = f"/v1/deals/{deal_id}"
    shown = (await client.get(f"{path}/holds")).json()["items"]
    assert {hold["id"] for hold in shown} == {str(hold_id) for hold_id in holds}
    for hold_id in holds:
        refused = await client.post(f"{path}/move", {"stage_id": board["Won"]})
        assert (refused.status, refused.json()["reason"]) == (409, "held")
        assert "Ink GmbH is being checked." in refused.json()["detail"]
        assert (await client.post(f"{path}/move", {"stage_id": board["Proposal"]})).status == 200
        wish_back = DealReleaseRequested(request_id=new_id(), deal_id=deal_id, hold_id=hold_id)
        for _ in range(2):  # asked for again, it is answered once
            await pipeline.publish(wish_back, org=org)
        released = partial(_is_of, hold_id)
        await pipeline.spy.expect(DealReleased, released)
    assert (await client.post(f"{path}/move", {"stage_id": board["Won"]})).status == 200


async def test_what_cannot_be_held_or_released_says_why(pipeline: Harness, org: UUID, board: Json) -> None:
    client = pipeline.client(org)
    lost = (await client.post("/v1/deals", {"title": "Oars"})).json()["id"]
    move = {"stage_id": board["Lost"], "loss_reason": "price"}
    assert (await client.post(f"/v1/deals/{lost}/move", move)).status == 200
    for deal_id, reason in ((new_id(), "not_found"), (UUID(lost), "not_open")):
        wish = DealHoldRequested(request_id=new_id(), deal_id=deal_id, hold_id=new_id(), reason="checked")
        failed = await _ask(pipeline, org, wish, DealHoldFailed)
        assert isinstance(failed, DealHoldFailed)
        assert failed.reason == reason
    back = DealReleaseRequested(request_id=new_id(), deal_id=new_id(), hold_id=new_id())
    await _ask(pipeline, org, back, DealReleaseFailed)
