"""Lists of invoices and payments in every order that they offer."""

from typing import Any

from flotilla.testing import Client
from flotilla.testing.orders import NAMES, check_orders

from services.billing.tests.conftest import Found


async def _made(client: Client, path: str, body: Any) -> str:
    answer = await client.post(path, body)
    assert answer.status in (201, 202), answer.body
    return str(answer.json().get("id"))


AMOUNTS = (900, 100, 500, 500, 100, 300)


async def test_every_order_of_every_list(found: Found) -> None:
    client = (await found()).client
    ids: dict[str, str] = {}
    settings = {"legal_name": "Northwind GmbH", "series": "NW"}
    assert (await client.put("/v1/invoice-settings", settings)).status == 200
    for name, amount in zip(NAMES, AMOUNTS, strict=True):
        line = {"description": "Mugs", "unit_price": {"amount_minor": amount, "currency": "EUR"}}
        draft = {"customer": {"name": name}, "currency": "EUR", "lines": [line], "due_in_days": amount % 300}
        ids["invoice_id"] = await _made(client, "/v1/invoices", draft)
        if amount != 100:
            answer = await client.post(f"/v1/invoices/{ids['invoice_id']}/issue")
            assert answer.status == 200, answer.body
    for _ in NAMES:
        paid = {"amount": {"amount_minor": 1, "currency": "EUR"}}
        await _made(client, f"/v1/invoices/{ids['invoice_id']}/payments", paid)
    assert await check_orders("billing", client, ids) == ["list_invoices", "list_payments"]
    several = (await client.get("/v1/invoices?state=draft&state=partly_paid")).json()["items"]
    assert sorted(each["state"] for each in several) == ["draft", "draft", "partly_paid"]
