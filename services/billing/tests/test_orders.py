"""Lists of invoices, payments, the ledger and purchases in every order that they offer."""

from typing import Any
from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.linking import link
from flotilla.testing.orders import NAMES, check_list, check_orders

from services.billing.tests.conftest import Firm, Found
from services.billing.tests.test_purchases import paid as answered
from services.billing.tests.test_purchases import topped_up, wish


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


AMOUNTS = (900, 100, 500, 500, 100, 300)


async def _client_sees(billing: Harness, firm: Firm, contact: UUID) -> None:
    """What is not a draft."""
    client = billing.client(firm.org, "client")
    await link(billing, client, 1, contact)

    async def linked() -> bool:
        return len((await client.get("/v1/portal/invoices")).json()["items"]) == 4

    await eventually(linked, what="whose they are is known")
    await check_list(client, "/v1/portal/invoices", ["-created_at", "created_at"])


async def test_the_ledger_by_time_is_how_the_balance_moved(billing: Harness, firm: Firm) -> None:
    """Whatever ids its entries have: that of a wish is older than what it waited for."""
    first, second = wish(amount_minor=300), wish(amount_minor=200)
    await topped_up(firm, 1_000)
    for each in (second, first):
        await billing.publish(each, org=firm.org)
        await answered(billing, each)
    entries = (await firm.client.get("/v1/wallet/entries?sort=created_at")).json()["items"]
    assert [each["amount"]["amount_minor"] for each in entries] == [1_000, -200, -300]
    assert [each["balance"]["amount_minor"] for each in entries] == [1_000, 800, 500]


async def test_every_order_of_every_list(billing: Harness, found: Found) -> None:
    firm = await found()
    client, contact = firm.client, new_id()
    ids: dict[str, str] = {}
    settings = {"legal_name": "Northwind GmbH", "series": "NW"}
    assert (await client.put("/v1/invoice-settings", settings)).status == 200
    for name, amount in zip(NAMES, AMOUNTS, strict=True):
        line = {"description": "Mugs", "unit_price": {"amount_minor": amount, "currency": "EUR"}}
        draft = {"customer": {"name": name}, "currency": "EUR", "lines": [line], "due_in_days": amount % 300}
        draft["contact_id"] = str(contact)
        ids["invoice_id"] = await _made(client, "/v1/invoices", draft)
        if amount != 100:
            answer = await client.post(f"/v1/invoices/{ids['invoice_id']}/issue")
            assert answer.status == 200, answer.body
    for _ in NAMES:
        paid = {"amount": {"amount_minor": 1, "currency": "EUR"}}
        await _made(client, f"/v1/invoices/{ids['invoice_id']}/payments", paid)
    await topped_up(firm, sum(AMOUNTS))
    for amount in AMOUNTS[:4]:
        asked = wish(amount_minor=amount)
        await billing.publish(asked, org=firm.org)
        await answered(billing, asked)
    walked = await check_orders("billing", client, ids, without={"list_own_invoices"})
    assert sorted(walked) == ["list_invoices", "list_payments", "list_purchases", "list_wallet_entries"]
    await _client_sees(billing, firm, contact)
    several = (await client.get("/v1/invoices?state=draft&state=partly_paid")).json()["items"]
    assert sorted(each["state"] for each in several) == ["draft", "draft", "partly_paid"]
