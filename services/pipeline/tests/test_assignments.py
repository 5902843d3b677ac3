"""Deals that other services want assigned."""

from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.auth import UserCreated
from flotilla.events.pipeline import DealAssignFailed, DealAssignRequested, DealUpdated
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.pipeline.tests.conftest import Json, a_deal


async def ask(pipeline: Harness, org: UUID, deal_id: UUID, owner_id: UUID) -> DealAssignRequested:
    wish = DealAssignRequested(request_id=new_id(), deal_id=deal_id, owner_id=owner_id)
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="rule:1")
    await pipeline.publish(wish, org=org, cause=cause)
    return wish


async def answer(pipeline: Harness, wish: DealAssignRequested, type_: Any) -> Any:
    return await pipeline.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


async def test_a_rule_assigns_a_deal_or_is_told_why_not(pipeline: Harness, org: UUID, board: Json) -> None:
    anna = UserCreated(
        user_id=new_id(), email=None, name=None, role="team_member", locale="en", state="active"
    )
    await pipeline.publish(anna, org=org, sequence=1)

    async def known() -> bool:
        async with pipeline.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM users WHERE id = $1", anna.user_id))

    await eventually(known)
    deal_id = UUID((await a_deal(pipeline, org))["id"])
    wish = await ask(pipeline, org, deal_id, anna.user_id)
    told = await answer(pipeline, wish, DealUpdated)
    assert (told.data.owner_id, told.data.changed["owner_id"]) == (anna.user_id, [None, str(anna.user_id)])
    await pipeline.publish(wish, org=org)  # the same wish as another event
    again = await ask(pipeline, org, deal_id, anna.user_id)
    assert (await answer(pipeline, again, DealUpdated)).data.changed == {}
    assert len(pipeline.spy.of(DealUpdated, org)) == 2
    for deal, owner, reason in ((new_id(), anna.user_id, "not_found"), (deal_id, new_id(), "unknown_owner")):
        refused = await ask(pipeline, org, deal, owner)
        assert (await answer(pipeline, refused, DealAssignFailed)).data.reason == reason
