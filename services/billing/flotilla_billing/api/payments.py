"""/v1/invoices/{invoice_id}/payments."""

from typing import Literal
from uuid import UUID

from fastapi import Request, Response
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Written
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME
from pydantic import AwareDatetime, Field

from flotilla_billing import commands
from flotilla_billing.api.invoices import held
from flotilla_billing.api.values import MoneyIn, MoneyOut, Text, conflict
from flotilla_billing.domain.invoices import NotPossibleError, Payment
from flotilla_billing.domain.money import LARGEST_AMOUNT
from flotilla_billing.store import invoices
from flotilla_billing.store import payments as store

routes = Routes("/v1/invoices/{invoice_id}/payments", tag="invoices")


class Amount(MoneyIn):
    """More than nothing."""

    amount_minor: int = Field(gt=0, le=LARGEST_AMOUNT)


class PaymentIn(Written):
    """Money that came by itself: a transfer, cash."""

    amount: Amount
    reference: Text = Field("", max_length=200)
    occurred_at: AwareDatetime | None = None


class PaymentOut(Written):
    """Money for an invoice, come or not."""

    id: UUID
    state: Literal["succeeded", "failed", "refunded"]
    amount: MoneyOut
    method: Literal["manual", "stripe"]
    reference: str
    reason: str
    occurred_at: AwareDatetime
    created_at: AwareDatetime


def _shown(payment: Payment) -> PaymentOut:
    same = ("id", "state", "method", "reference", "reason", "occurred_at", "created_at")
    amount = MoneyOut(amount_minor=payment.amount_minor, currency=payment.currency)
    return PaymentOut(**{name: getattr(payment, name) for name in same}, amount=amount)


@routes.get("", permission="invoices:read")
async def list_payments(
    invoice_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "created_at"
) -> Page[PaymentOut]:
    """The oldest first."""
    if await invoices.read(tx, who.org, invoice_id) is None:
        raise NotFoundError("There is no invoice with this id.")
    order = BY_TIME[sort]
    after = query.place(sort, order)
    found = await store.of_invoice(tx, who.org, invoice_id, order, after, query.limit + 1)
    return query.page([_shown(each) for each in found], sort, order)


@routes.post("", permission="invoices:write", status_code=201)
async def take_payment(
    invoice_id: UUID, body: PaymentIn, tx: Tx, who: Who, request: Request, response: Response
) -> PaymentOut:
    """Note money that came. More than is owed is refused; send an Idempotency-Key to note it once."""
    invoice = await held(tx, who.org, invoice_id, request)
    amount = body.amount
    payment = commands.manual_payment(
        tx, invoice, amount.amount_minor, amount.currency, body.reference, body.occurred_at
    )
    try:
        await commands.pay(tx, invoice, payment)
    except NotPossibleError as error:
        raise conflict(error) from None
    response.headers["Location"] = f"/v1/invoices/{invoice_id}/payments/{payment.id}"
    return _shown(payment)


@routes.post("/{payment_id}/refund", permission="invoices:write")
async def refund_payment(
    invoice_id: UUID, payment_id: UUID, tx: Tx, who: Who, request: Request
) -> PaymentOut:
    """Say that it was given back, all of it; saying it again changes nothing.

    One that came through Stripe is given back there: its webhook tells of it.
    """
    invoice = await held(tx, who.org, invoice_id, request)
    payment = await store.one(tx, store.READ, who.org, invoice_id, payment_id)
    if payment is None:
        raise NotFoundError("There is no payment with this id.")
    try:
        if payment.method != "manual":
            raise NotPossibleError("Give it back in Stripe.")
        await commands.refund(tx, invoice, payment)
    except NotPossibleError as error:
        raise conflict(error) from None
    after = await store.one(tx, store.READ, who.org, invoice_id, payment_id)
    assert after is not None
    return _shown(after)
