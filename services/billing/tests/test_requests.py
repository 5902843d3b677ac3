"""Wishes for invoices: answered once, taken back, also before they come."""

from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.base import Money
from flotilla.events.billing import (
    InvoiceFailed,
    InvoiceIssued,
    InvoiceLine,
    InvoiceRequested,
    InvoiceVoided,
    InvoiceVoidFailed,
    InvoiceVoidRequested,
)
from flotilla.events.crm import CompanyCreated
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.billing.tests.conftest import Firm, requested


async def test_a_wish_is_answered_once_however_often_it_comes(billing: Harness, firm: Firm) -> None:
    wish, cause = requested(firm), Cause(correlation_id=new_id(), request_id=new_id())
    first = await billing.publish(wish, org=firm.org, cause=cause)
    answer = await billing.spy.expect(InvoiceIssued, lambda event: event.data.request_id == wish.request_id)
    assert answer.data.invoice_id == wish.request_id
    assert answer.envelope.requestid == cause.request_id
    assert answer.envelope.causationid == first
    assert (answer.data.total, answer.data.deal_id) == (
        Money(amount_minor=11900, currency="EUR"),
        wish.deal_id,
    )
    await billing.publish(wish, org=firm.org, cause=cause, event_id=first)
    asked_again = await billing.publish(wish, org=firm.org, cause=cause)
    again = await billing.spy.expect(InvoiceIssued, lambda event: event.envelope.causationid == asked_again)
    assert again.id == answer.id  # whoever heard of it knows that they did
    other = requested(firm)
    await billing.publish(other, org=firm.org)
    later = await billing.spy.expect(InvoiceIssued, lambda event: event.data.request_id == other.request_id)
    assert (answer.data.number[-6:], later.data.number[-6:]) == ("000001", "000002")
    shown = (await firm.client.get(f"/v1/invoices/{wish.request_id}")).json()
    assert (shown["number"], shown["customer"]["name"]) == (answer.data.number, "Ганна і партнери")


async def test_a_wish_that_cannot_be_met_says_why(billing: Harness, firm: Firm) -> None:
    free = InvoiceLine(description="Free", quantity="1", unit_price=Money(amount_minor=0, currency="EUR"))
    dollars = InvoiceLine(description="A", quantity="1", unit_price=Money(amount_minor=5, currency="USD"))
    for fields, words in (
        ({"currency": "ABC", "lines": []}, "no currency"),
        ({"lines": None}, "at least one line"),
        ({"lines": [free]}, "more than nothing"),
        ({"lines": [dollars]}, "not in EUR"),
        ({"company_id": None}, "no name"),
    ):
        wish = requested(firm, **fields)
        await billing.publish(wish, org=firm.org)
        answer = await _failed(billing, wish.request_id)
        assert words in answer.data.reason
    assert billing.spy.of(InvoiceIssued, firm.org) == []


async def test_a_wish_waits_for_its_company(billing: Harness, firm: Firm) -> None:
    company = CompanyCreated(company_id=new_id(), name="Zoë Groß KG", domain=None, owner_id=None, tags=[])
    wish = requested(firm, company_id=company.company_id)
    await billing.publish(wish, org=firm.org)
    await billing.publish(company, org=firm.org, sequence=1)
    await billing.spy.expect(InvoiceIssued, lambda event: event.data.request_id == wish.request_id)
    shown = (await firm.client.get(f"/v1/invoices/{wish.request_id}")).json()
    assert shown["customer"]["name"] == "Zoë Groß KG"


async def test_a_person_is_named_by_the_wish(billing: Harness, firm: Firm) -> None:
    wish = requested(firm, company_id=None, contact_id=new_id(), customer_name="Zoë  Groß")
    await billing.publish(wish, org=firm.org)
    await billing.spy.expect(InvoiceIssued, lambda event: event.data.request_id == wish.request_id)
    shown = (await firm.client.get(f"/v1/invoices/{wish.request_id}")).json()
    assert shown["customer"]["name"] == "Zoë Groß"


async def test_an_invoice_is_taken_back(billing: Harness, firm: Firm) -> None:
    wish = requested(firm)
    await billing.publish(wish, org=firm.org)
    await billing.spy.expect(InvoiceIssued, lambda event: event.data.request_id == wish.request_id)
    undo = InvoiceVoidRequested(request_id=new_id(), cancels=wish.request_id, reason="The deal went back")
    await billing.publish(undo, org=firm.org)
    answer = await billing.spy.expect(InvoiceVoided, lambda event: event.data.request_id == undo.request_id)
    assert (answer.data.invoice_id, answer.data.reason) == (wish.request_id, "The deal went back")
    assert answer.data.number is not None
    once_more = InvoiceVoidRequested(request_id=new_id(), cancels=wish.request_id, reason="Again")
    await billing.publish(once_more, org=firm.org)
    await billing.spy.expect(InvoiceVoided, lambda event: event.data.request_id == once_more.request_id)
    assert (await firm.client.get(f"/v1/invoices/{wish.request_id}")).json()["state"] == "void"


async def test_a_paid_invoice_is_not_taken_back(billing: Harness, firm: Firm) -> None:
    wish = requested(firm)
    await billing.publish(wish, org=firm.org)
    await billing.spy.expect(InvoiceIssued, lambda event: event.data.request_id == wish.request_id)
    amount = {"amount": {"amount_minor": 100, "currency": "EUR"}}
    assert (await firm.client.post(f"/v1/invoices/{wish.request_id}/payments", amount)).status == 201
    undo = InvoiceVoidRequested(request_id=new_id(), cancels=wish.request_id, reason="Too late")
    await billing.publish(undo, org=firm.org)
    answer = await billing.spy.expect(
        InvoiceVoidFailed, lambda event: event.data.request_id == undo.request_id
    )
    assert answer.data.cancels == wish.request_id
    assert (await firm.client.get(f"/v1/invoices/{wish.request_id}")).json()["state"] == "partly_paid"


async def test_a_wish_that_was_taken_back_before_it_came_is_refused(billing: Harness, firm: Firm) -> None:
    wish = requested(firm)
    undo = InvoiceVoidRequested(request_id=new_id(), cancels=wish.request_id, reason="Timed out")
    await billing.publish(undo, org=firm.org)
    answer = await billing.spy.expect(InvoiceVoided, lambda event: event.data.request_id == undo.request_id)
    assert answer.data.number is None
    await billing.publish(wish, org=firm.org)
    refused = await billing.spy.expect(InvoiceFailed, lambda event: event.data.request_id == wish.request_id)
    assert (refused.data.reason, refused.sequence) == ("cancelled", 2)
    assert billing.spy.of(InvoiceIssued, firm.org) == []
    assert (await firm.client.get(f"/v1/invoices/{wish.request_id}")).status == 404


async def test_a_wish_and_its_undoing_in_one_moment_agree(billing: Harness, firm: Firm) -> None:
    pairs: list[tuple[InvoiceRequested, InvoiceVoidRequested]] = []
    for _ in range(10):
        wish = requested(firm)
        undo = InvoiceVoidRequested(request_id=new_id(), cancels=wish.request_id, reason="Both at once")
        for event in (wish, undo) if len(pairs) % 2 else (undo, wish):
            await billing.publish(event, org=firm.org)
        pairs.append((wish, undo))
    numbers = []
    for wish, undo in pairs:
        await _voided(billing, undo.request_id)
        answer = await firm.client.get(f"/v1/invoices/{wish.request_id}")
        if answer.status == 200:
            assert answer.json()["state"] == "void"
            numbers.append(int(answer.json()["number"][-6:]))
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def _failed(billing: Harness, request_id: UUID) -> Received[InvoiceFailed]:
    return await billing.spy.expect(InvoiceFailed, lambda event: event.data.request_id == request_id)


async def _voided(billing: Harness, request_id: UUID) -> Received[InvoiceVoided]:
    return await billing.spy.expect(InvoiceVoided, lambda event: event.data.request_id == request_id)
