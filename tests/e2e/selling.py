"""What people and customers do on the way from a first word to a closed deal."""

from collections.abc import Callable
from typing import Any

from flotilla.testing import eventually
from flotilla.testing.people import Live, Office, Person

from tests.e2e.arranged import EUROS

WORDS = (
    "We need a help desk for 25 agents.",
    "Our budget is 12,000 EUR a year.",
    "We want to go live next month.",
    "I'm the CEO and I decide.",
)
"""Need, budget, timeline, authority."""
Json = dict[str, Any]


async def qualified(office: Office, live: Live, *, chat: int) -> Json:
    """The deal that comes of a customer's words, worth something."""
    for words in WORDS:
        await office.customer_writes(words, chat=chat)
    lead = (await live.expect("lead.qualified.v1"))["data"]
    opened = (await live.expect("deal.created.v1"))["data"]
    assert opened["qualification_id"] == lead["qualification_id"]
    assert opened["conversation_id"] == lead["conversation_id"]
    assert (opened["source"], opened["title"]) == ("lead", "Iryna")
    deal: Json = await office.owner.ok("GET", f"/v1/deals/{opened['deal_id']}")
    if deal["value"] is None:  # said before the lead, it would be what the customer can spend
        deal = await office.owner.ok("PATCH", f"/v1/deals/{deal['id']}", {"value": EUROS})
    return deal


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
