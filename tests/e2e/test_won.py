"""From a customer's first words to a closed deal, its invoice and its delivery, through the gateway alone."""

from collections.abc import Callable
from typing import Any

import pytest
from flotilla.testing import eventually
from flotilla.testing.people import Person
from flotilla.testing.simulators.vies import ViesSimulator, refusal

from tests.e2e.conftest import NewOffice
from tests.e2e.filled import EUROS, first, stages_of

WORDS = (
    "We need a help desk for 25 agents.",
    "Our budget is 12,000 EUR a year.",
    "We want to go live next month.",
    "I'm the CEO and I decide.",
)
"""Need, budget, timeline, authority."""
AUSTRIAN = "ATU13585627"
Json = dict[str, Any]


async def test_a_conversation_becomes_a_closed_deal(new_office: NewOffice) -> None:
    office = await new_office("Harbour")
    owner = office.owner
    stages = await stages_of(owner)
    await offers_at(owner, stages["Proposal"])
    async with owner.live() as live:
        for words in WORDS:
            await office.customer_writes(words, chat=4712)
        qualified = (await live.expect("lead.qualified.v1"))["data"]
        opened = (await live.expect("deal.created.v1"))["data"]
        assert opened["qualification_id"] == qualified["qualification_id"]
        assert opened["conversation_id"] == qualified["conversation_id"]
        assert (opened["source"], opened["title"]) == ("lead", "Iryna")
        deal = await with_value(owner, opened)
        assert deal["id"] in await deals_in(owner, stages["New"])

        await move(owner, deal, stages["Proposal"])
        await live.expect("deal.stage.changed.v1", of(deal))
        await live.expect("task.created.v1", lambda task: task["title"] == "Write Iryna an offer")
        assert deal["id"] in await deals_in(owner, stages["Proposal"])

        await move(owner, deal, stages["Won"])
        won = await live.expect("deal.won.v1", of(deal))
        issued = (await live.expect("invoice.issued.v1", of(deal)))["data"]
        delivery = (await live.expect("task.created.v1", lambda task: task["title"] == "Deliver: Iryna"))[
            "data"
        ]
        closed = await live.expect("deal.closed.v1", of(deal))
    assert issued["net"] == deal["value"]
    assert delivery["contact_id"] == opened["contact_id"]
    assert closed["data"]["saga_id"] == won["data"]["saga_id"]
    assert closed["correlation_id"] == won["correlation_id"]
    await shows_what_came_of_it(owner, deal, issued["invoice_id"], won["data"]["saga_id"])


async def shows_what_came_of_it(owner: Person, deal: Json, invoice_id: str, saga_id: str) -> None:
    """The API says the same as the events did."""
    assert (await owner.ok("GET", f"/v1/deals/{deal['id']}"))["state"] == "closed"
    saga = await owner.ok("GET", f"/v1/sagas/pipeline/{saga_id}")
    assert [(step["name"], step["state"]) for step in saga["steps"]] == [
        ("invoice", "done"),
        ("delivery", "done"),
    ]
    invoice = await owner.ok("GET", f"/v1/invoices/{invoice_id}")
    assert (invoice["customer"]["name"], invoice["state"]) == ("Iryna", "issued")
    pdf = await owner.call("GET", f"/v1/invoices/{invoice_id}/pdf")
    assert (pdf.status, pdf.headers["Content-Type"], pdf.body[:5]) == (200, "application/pdf", b"%PDF-")


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


async def test_a_register_that_is_down_says_nothing_of_anybody(
    new_office: NewOffice, vies: ViesSimulator
) -> None:
    owner = (await new_office("Harbour")).owner
    vies.register("AT", AUSTRIAN.removeprefix("AT"), "Tinte GmbH")
    vies.down(refusal("MS_UNAVAILABLE"))
    async with owner.live() as live:
        try:
            wanted = {"name": "Tinte GmbH", "country": "AT", "vat_number": AUSTRIAN}
            made = await owner.ok("POST", "/v1/counterparties", wanted)
            checked = (await live.expect("counterparty.checked.v1"))["data"]
        finally:
            vies.up()
        assert (checked["counterparty_id"], checked["state"]) == (made["id"], "unverified")
        assert (await owner.ok("GET", "/v1/counterparty-alerts"))["items"] == []
        await owner.ok("POST", f"/v1/counterparties/{made['id']}/checks")
        await live.expect("counterparty.checked.v1", lambda data: data["state"] == "verified")


async def offers_at(owner: Person, stage: Json) -> None:
    """A rule: who comes to this stage is to be written an offer."""
    rule = {
        "name": "Offer",
        "enabled": True,
        "trigger": "deal.stage.changed.v1",
        "condition": {"field": "data.to_stage_id", "operator": "equals", "value": stage["id"]},
        "actions": [{"type": "create_task", "title": "Write {{ data.title | the customer }} an offer"}],
    }
    await owner.ok("POST", "/v1/rules", rule)


async def a_deal(owner: Person, value: Json, company: str | None) -> Json:
    """A deal that a person makes, with a company if one is named."""
    wanted: Json = {"title": "200 mugs", "value": value}
    if company:
        wanted["company_id"] = (await owner.ok("POST", "/v1/companies", {"name": company}))["id"]

    async def made() -> Json:
        # pipeline hears of the company a moment after crm has made it.
        deal: Json = await owner.ok("POST", "/v1/deals", wanted)
        return deal

    return await eventually(made, what="a deal with the company")


async def with_value(owner: Person, opened: Json) -> Json:
    """The deal of a lead, worth what the customer can spend; said by a person where it came after the lead."""
    deal: Json = await owner.ok("GET", f"/v1/deals/{opened['deal_id']}")
    if deal["value"] is None:
        deal = await owner.ok("PATCH", f"/v1/deals/{deal['id']}", {"value": EUROS})
    return deal


async def move(owner: Person, deal: Json, stage: Json) -> None:
    """Move it on the board."""
    await owner.ok("POST", f"/v1/deals/{deal['id']}/move", {"stage_id": stage["id"]})


async def deals_in(owner: Person, stage: Json) -> list[str]:
    """The deals of a stage, as the board shows them."""
    board = await owner.ok("GET", f"/v1/pipelines/{stage['pipeline_id']}/board")
    (column,) = [column for column in board["columns"] if column["id"] == stage["id"]]
    return [deal["id"] for deal in column["deals"]]


def of(deal: Json) -> Callable[[Json], bool]:
    """Whether an event is about it."""
    return lambda data: bool(data["deal_id"] == deal["id"])
