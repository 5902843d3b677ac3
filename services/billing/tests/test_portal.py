"""What clients of an organization see of its invoices: their own, by the database's word, and no drafts."""

from typing import Any

from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.linking import link

from services.billing.tests.conftest import Firm, draft, issued

OWN = "/v1/portal/invoices"


async def numbers(client: Client) -> list[str]:
    """Of the invoices that somebody sees as their own."""
    shown = await client.get(OWN)
    assert shown.status == 200, shown.body
    return [each["number"] for each in shown.json()["items"]]


async def sees(client: Client, *expected: dict[str, Any]) -> None:
    """Wait until they see these, and no others."""

    async def so() -> bool:
        return await numbers(client) == [each["number"] for each in expected]

    await eventually(so, what="whose they are is known")


async def test_a_client_sees_their_own_invoices_alone(billing: Harness, firm: Firm) -> None:
    mine, others, merged = new_id(), new_id(), new_id()
    first = await issued(firm.client, contact_id=str(mine))
    await issued(firm.client, contact_id=str(others))
    await issued(firm.client)
    await firm.client.post("/v1/invoices", draft(contact_id=str(mine)))
    moved = await issued(firm.client, contact_id=str(merged))
    client = billing.client(firm.org, "client")
    assert await numbers(client) == [], "linked to nobody"
    await link(billing, client, 1, mine)
    await sees(client, first)
    (shown,) = (await client.get(OWN)).json()["items"]
    assert (shown["total"]["amount_minor"], shown["lines"][0]["description"]) == (11900, "Consulting")
    assert not {"deal_id", "company_id", "contact_id", "void_reason"} & shown.keys()

    await link(billing, client, 2, mine, merged)
    await sees(client, moved, first)
    assert [each["number"] for each in (await client.get(f"{OWN}?limit=1")).json()["items"]] == [
        moved["number"]
    ]
    await link(billing, client, 1, mine)
    await link(billing, client, 3)
    await sees(client)


async def test_clients_of_others_and_colleagues_see_none(billing: Harness, firm: Firm) -> None:
    contact = new_id()
    invoice = await issued(firm.client, contact_id=str(contact))
    client = billing.client(firm.org, "client")
    await link(billing, client, 1, contact)
    await sees(client, invoice)
    assert await numbers(billing.client(firm.org, "client")) == []
    assert await numbers(billing.client(new_id(), "client", client.user_id)) == []
    assert await numbers(firm.client) == [], "an owner is nobody's client"
    assert (await client.get("/v1/invoices")).status == 403


async def test_the_database_shows_a_client_no_other_invoice(billing: Harness, firm: Firm) -> None:
    contact = new_id()
    invoice = await issued(firm.client, contact_id=str(contact))
    await issued(firm.client)
    client = billing.client(firm.org, "client")
    await link(billing, client, 1, contact)
    await sees(client, invoice)
    sql = "SELECT id FROM invoices"
    async with billing.app.db.transaction(firm.org) as tx:
        assert len(await tx.fetch(sql)) == 2, "anybody else sees all"
        await tx.execute(f"SET LOCAL flotilla.client = '{client.user_id}'")
        assert [str(row["id"]) for row in await tx.fetch(sql)] == [invoice["id"]]
        await tx.execute(f"SET LOCAL flotilla.client = '{new_id()}'")
        assert await tx.fetch(sql) == []
