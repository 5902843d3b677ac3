"""Invoices over HTTP: drafts, numbers, payments, PDF."""

import asyncio
import io
from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.billing import (
    InvoiceIssued,
    InvoicePaid,
    InvoiceUpdated,
    InvoiceVoided,
    PaymentRefunded,
    PaymentSucceeded,
)
from flotilla.ids import new_id
from flotilla.testing import Harness
from flotilla_billing import commands
from flotilla_billing.api.invoices import issuer_of
from flotilla_billing.store import invoices as store
from pypdf import PdfReader

from services.billing.tests.conftest import Firm, Found, draft, issued


def _money(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": "EUR"}


async def test_a_draft_is_issued_and_told_of(billing: Harness, firm: Firm) -> None:
    client = firm.client
    settings = {"legal_name": "Northwind GmbH", "series": "NW", "due_in_days": 30, "tax_rate": "7.5"}
    assert (await client.put("/v1/invoice-settings", settings)).status == 200
    made = await client.post("/v1/invoices", draft())
    assert made.status == 201
    assert (made.json()["state"], made.json()["number"]) == ("draft", None)
    assert billing.spy.of(InvoiceIssued, firm.org) == []

    path = f"/v1/invoices/{made.json()['id']}"
    answer = await client.post(f"{path}/issue", headers={"If-Match": made.headers["ETag"]})
    invoice = answer.json()
    assert invoice["number"] == f"NW-{invoice['issued_on'][:4]}-000001"
    assert (invoice["net"], invoice["tax"], invoice["total"]) == (_money(10000), _money(1900), _money(11900))
    assert (await client.post(f"{path}/issue")).status == 409
    assert (await client.post(f"{path}/issue", headers={"If-Match": '"1"'})).status == 412
    event = await billing.spy.expect(InvoiceIssued, lambda event: event.org == firm.org)
    assert (event.data.number, event.data.total.amount_minor, event.sequence) == (invoice["number"], 11900, 2)
    assert (event.data.due_on - event.data.issued_on).days == 30
    assert (await client.get(path)).json() == invoice


async def test_numbers_have_no_gaps_under_concurrency_and_rollbacks(billing: Harness, firm: Firm) -> None:
    class UndoneError(Exception):
        pass

    async def undone() -> None:
        """Issued, and then the transaction fails."""
        made = (await firm.client.post("/v1/invoices", draft())).json()
        try:
            async with billing.app.db.transaction(firm.org, cause=Cause.fresh("test")) as tx:
                invoice = await store.read(tx, firm.org, UUID(made["id"]), lock=True)
                assert invoice is not None
                assert (await commands.issue(tx, invoice, await issuer_of(tx, firm.org))).number is not None
                raise UndoneError
        except UndoneError:
            pass

    results = await asyncio.gather(*(issued(firm.client) if place % 3 else undone() for place in range(18)))
    numbers = sorted(int(each["number"][-6:]) for each in results if each is not None)
    assert numbers == list(range(1, 13))


async def test_each_organization_and_series_counts_for_itself(found: Found) -> None:
    one, other = await found(), await found()
    assert (await issued(one.client))["number"][-6:] == "000001"
    assert (await issued(other.client))["number"][-6:] == "000001"
    await one.client.put("/v1/invoice-settings", {"legal_name": "N", "series": "B"})
    assert (await issued(one.client))["number"].startswith("B-")
    assert (await issued(one.client))["number"][-6:] == "000002"


async def test_payments_by_hand_part_by_part_and_back(billing: Harness, firm: Firm) -> None:
    client, invoice = firm.client, await issued(firm.client)
    path = f"/v1/invoices/{invoice['id']}"
    assert (await client.post(f"{path}/payments", {"amount": _money(11901)})).status == 409
    assert (await client.post(f"{path}/payments", {"amount": _money(0)})).status == 422
    assert (
        await client.post(f"{path}/payments", {"amount": {"amount_minor": 1, "currency": "USD"}})
    ).status == 409
    key = {"Idempotency-Key": str(new_id())}
    first = await client.post(f"{path}/payments", {"amount": _money(1900)}, headers=key)
    again = await client.post(f"{path}/payments", {"amount": _money(1900)}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert (await client.get(path)).json()["state"] == "partly_paid"
    assert (await client.post(f"{path}/void", {"reason": "Wrong"})).status == 409
    await client.post(f"{path}/payments", {"amount": _money(10000), "reference": "Transfer 7"})
    paid = (await client.get(path)).json()
    assert (paid["state"], paid["open"]) == ("paid", _money(0))
    event = await billing.spy.expect(InvoicePaid, lambda event: event.org == firm.org)
    assert event.data.changed == {"state": ["partly_paid", "paid"], "paid": [1900, 11900]}
    assert len(billing.spy.of(PaymentSucceeded, firm.org)) == 2

    for _ in range(2):
        refunded = await client.post(f"{path}/payments/{first.json()['id']}/refund")
        assert refunded.json()["state"] == "refunded"
    assert (await client.get(path)).json()["paid"] == _money(10000)
    await billing.spy.expect(PaymentRefunded, lambda event: event.org == firm.org)
    updates = [
        event.data.state
        for event in billing.spy.of(InvoiceUpdated, firm.org)
        if event.data.paid.amount_minor == 10000
    ]
    assert updates == ["partly_paid"]
    listed = (await client.get(f"{path}/payments")).json()["items"]
    assert [each["state"] for each in listed] == ["refunded", "succeeded"]


async def test_two_payments_at_once_cannot_overpay(firm: Firm) -> None:
    invoice = await issued(firm.client)
    path = f"/v1/invoices/{invoice['id']}/payments"
    answers = await asyncio.gather(*(firm.client.post(path, {"amount": _money(8000)}) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]


async def test_a_void_invoice_keeps_its_number(billing: Harness, firm: Firm) -> None:
    first = await issued(firm.client)
    path = f"/v1/invoices/{first['id']}/void"
    for _ in range(2):
        assert (await firm.client.post(path, {"reason": "Wrong customer"})).json()["state"] == "void"
    event = await billing.spy.expect(InvoiceVoided, lambda event: event.org == firm.org)
    assert (event.data.number, event.data.request_id) == (first["number"], None)
    assert (await issued(firm.client))["number"][-6:] == "000002"
    assert len(billing.spy.of(InvoiceVoided, firm.org)) == 1


async def test_what_does_not_fit_is_pointed_at(firm: Firm) -> None:
    for change, pointer in (
        ({"currency": "ZZZ"}, "/currency"),
        ({"lines": []}, "/lines"),
        ({"lines": [{**draft()["lines"][0], "quantity": "1e3"}]}, "/lines/0/quantity"),
        ({"lines": [{**draft()["lines"][0], "quantity": "0"}]}, "/lines/0/quantity"),
        ({"lines": [{**draft()["lines"][0], "tax_rate": "101"}]}, "/lines/0/tax_rate"),
        ({"lines": [{**draft()["lines"][0], "unit_price": _money(-1)}]}, "/lines"),
        (
            {"lines": [{**draft()["lines"][0], "unit_price": {"amount_minor": 1, "currency": "USD"}}]},
            "/lines/0/unit_price/currency",
        ),
        ({"customer": {"name": "\u0000"}}, "/customer/name"),
    ):
        answer = await firm.client.post("/v1/invoices", draft(**change))
        assert answer.status == 422, change
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_the_pdf_prints_cyrillic_and_is_the_same_every_time(found: Found) -> None:
    firm = await found(locale="uk", name="ТОВ «Північний вітер»")
    invoice = await issued(firm.client, customer={"name": "Ганна Шевченко"}, note="Дякуємо за співпрацю.")
    path = f"/v1/invoices/{invoice['id']}/pdf"
    one, two = await firm.client.get(path), await firm.client.get(path)
    assert (one.status, one.headers["Content-Type"]) == (200, "application/pdf")
    assert one.body == two.body
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(one.body)).pages)
    for words in ("ТОВ «Північний вітер»", "Ганна Шевченко", "Рахунок", invoice["number"], "119,00"):
        assert words in text.replace("\xa0", " "), text
    unissued = (await firm.client.post("/v1/invoices", draft())).json()["id"]
    assert (await firm.client.get(f"/v1/invoices/{unissued}/pdf")).status == 404


async def test_lists_are_paged_and_another_organization_sees_nothing(billing: Harness, firm: Firm) -> None:
    made = [(await issued(firm.client))["id"] for _ in range(3)]
    await firm.client.post("/v1/invoices", draft())
    first = (await firm.client.get("/v1/invoices?state=issued&limit=2")).json()
    second = (
        await firm.client.get(f"/v1/invoices?state=issued&limit=2&cursor={first['next_cursor']}")
    ).json()
    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    stranger = billing.client(new_id())
    assert (await stranger.get("/v1/invoices")).json()["items"] == []
    path = f"/v1/invoices/{made[0]}"
    assert (await stranger.get(path)).status == 404
    assert (await stranger.get(f"{path}/pdf")).status == 404
    assert (await stranger.get(f"{path}/payments")).status == 404
    assert (await stranger.post(f"{path}/void", {"reason": "Mine"})).status == 404
    assert (await stranger.post(f"{path}/payments", {"amount": _money(1)})).status == 404
    viewer = billing.client(firm.org, role="viewer")
    assert (await viewer.get(path)).status == 200
    assert (await viewer.post(f"{path}/void", {"reason": "No"})).status == 403
