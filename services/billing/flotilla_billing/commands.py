"""What is done with one invoice, by a person or because Stripe said so; each command tells of what it changed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.store.postgres import Transaction

from flotilla_billing.domain.invoices import Invoice, InvoiceState, NotPossibleError, Payment, PaymentState
from flotilla_billing.issuing import AUDIENCE, Issuer, numbered, tell_issued
from flotilla_billing.store import invoices as store
from flotilla_billing.store import payments


async def issue(tx: Transaction, draft: Invoice, issuer: Issuer) -> Invoice:
    """Give a draft that the transaction holds its number; NotPossibleError where it is none."""
    if draft.state is not InvoiceState.DRAFT:
        raise NotPossibleError(f"The invoice is {draft.state} already.")
    (ready,) = await numbered(tx, [draft], {draft.organization_id: issuer})
    invoice = await store.change(
        tx,
        store.ISSUE,
        draft.organization_id,
        draft.id,
        ready.year,
        ready.number,
        ready.issued_on,
        ready.due_on,
        store.party(ready.issuer),
    )
    tell_issued(tx, invoice)
    return invoice


async def void(
    tx: Transaction,
    invoice: Invoice,
    reason: str,
    *,
    request_id: UUID | None = None,
    cause: Received[Any] | None = None,
) -> Invoice:
    """Nobody owes an invoice that the transaction holds any more; NotPossibleError where money came for it.

    Voided already: told again, for whoever asks now.
    """
    invoice.check_voidable()
    org = invoice.organization_id
    if invoice.state is not InvoiceState.VOID:
        invoice = await store.change(tx, store.VOID, org, invoice.id, reason)
    elif request_id is None:
        return invoice
    tx.emit(invoice.voided(request_id), org=org, sequence=invoice.sequence, cause=cause, audience=AUDIENCE)
    return invoice


async def pay(tx: Transaction, invoice: Invoice, payment: Payment) -> Invoice:
    """Take money for an invoice that the transaction holds; NotPossibleError where it is more than is owed.

    A payment that is known already changes nothing.
    """
    if await payments.one(tx, payments.READ, invoice.organization_id, invoice.id, payment.id) is not None:
        return invoice
    if payment.currency != invoice.currency:
        raise NotPossibleError(f"The invoice is in {invoice.currency}.")
    invoice.check_payable(payment.amount_minor)
    written = await payments.add(tx, payment)
    assert written is not None
    return await settle(tx, invoice, written, payment.amount_minor)


async def refund(tx: Transaction, invoice: Invoice, payment: Payment) -> Invoice:
    """Say that a payment was given back; what was given back already stays so."""
    if payment.state is PaymentState.FAILED:
        raise NotPossibleError("That payment never came.")
    given_back = await payments.one(tx, payments.REFUND, invoice.organization_id, payment.id)
    if given_back is None:
        return invoice
    return await settle(tx, invoice, given_back, -payment.amount_minor)


async def settle(tx: Transaction, invoice: Invoice, payment: Payment, amount_minor: int) -> Invoice:
    """Count a payment that was just written into its invoice, and tell of both."""
    org, paid = invoice.organization_id, invoice.paid_minor + amount_minor
    tx.emit(payment.told(), org=org, sequence=payment.sequence, audience=AUDIENCE)
    after = await store.change(tx, store.PAID, org, invoice.id, invoice.state_when_paid(paid), paid)
    told = after.paid(invoice) if after.state is InvoiceState.PAID else after.updated(invoice)
    tx.emit(told, org=org, sequence=after.sequence, audience=AUDIENCE)
    return after


async def note_failure(tx: Transaction, payment: Payment) -> None:
    """Tell that money for an invoice did not come; once."""
    written = await payments.add(tx, payment)
    if written is not None:
        tx.emit(written.told(), org=payment.organization_id, sequence=1, audience=AUDIENCE)


def manual_payment(
    tx: Transaction, invoice: Invoice, amount_minor: int, currency: str, reference: str, at: datetime | None
) -> Payment:
    """A payment that a person notes."""
    now = datetime.now(UTC)
    return Payment(
        organization_id=invoice.organization_id,
        id=tx.app.new_id(),
        invoice_id=invoice.id,
        state=PaymentState.SUCCEEDED,
        amount_minor=amount_minor,
        currency=currency,
        method="manual",
        reference=reference,
        occurred_at=at or now,
        created_at=now,
    )
