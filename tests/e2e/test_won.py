"""A deal that cannot be invoiced: over the whole fleet, through the gateway alone."""

import pytest

from tests.e2e.arranged import EUROS
from tests.e2e.conftest import NewOffice
from tests.e2e.filled import first, stages_of
from tests.e2e.selling import a_deal, move, of


@pytest.mark.parametrize(
    ("company", "currency", "why"),
    [(None, "EUR", "no name"), ("Kite & Sons", "QQQ", "QQQ")],
    ids=["nobody to charge", "no such currency"],
)
async def test_what_cannot_be_invoiced_goes_back_with_the_reason(
    new_office: NewOffice, company: str | None, currency: str, why: str
) -> None:
    owner = (await new_office("Harbour")).owner
    stages = await stages_of(owner)
    deal = await a_deal(owner, {**EUROS, "currency": currency}, company)
    async with owner.live() as live:
        await move(owner, deal, stages["Negotiation"])
        await move(owner, deal, stages["Won"])
        failed = (await live.expect("invoice.failed.v1", of(deal)))["data"]
        back = await live.expect(
            "deal.stage.changed.v1",
            lambda data: of(deal)(data) and data["changed"].get("state") == ["won", "open"],
        )
    assert why in failed["reason"]
    reason = f"invoice: {failed['reason']}"
    assert (back["data"]["to_stage_id"], back["data"]["reason"]) == (stages["Negotiation"]["id"], reason)
    now = await owner.ok("GET", f"/v1/deals/{deal['id']}")
    assert (now["state"], now["stage_id"]) == ("open", stages["Negotiation"]["id"])
    assert (await first(owner, f"/v1/deals/{deal['id']}/moves"))["reason"] == reason
    assert (await first(owner, f"/v1/sagas/pipeline?subject_id={deal['id']}"))["state"] == "undone"
    assert (await owner.ok("GET", f"/v1/invoices?deal_id={deal['id']}"))["items"] == []
    assert (await owner.ok("GET", "/v1/tasks"))["items"] == []
