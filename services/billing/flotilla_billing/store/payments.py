"""Payments."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_billing.domain.invoices import Payment, PaymentState

INSERT: Final = """
INSERT INTO payments (organization_id, id, invoice_id, state, amount_minor, currency, method, reference, reason,
                      occurred_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (organization_id, id) DO NOTHING RETURNING *"""
READ: Final = "SELECT * FROM payments WHERE organization_id = $1 AND invoice_id = $2 AND id = $3"
REFUND: Final = """
UPDATE payments SET sequence = sequence + 1, state = 'refunded'
WHERE organization_id = $1 AND id = $2 AND state = 'succeeded' RETURNING *"""
OF_INVOICE: Final = "SELECT * FROM payments"


async def add(tx: Transaction, payment: Payment) -> Payment | None:
    """Write a payment; None where it is known already."""
    row = await tx.fetchrow(
        INSERT,
        payment.organization_id,
        payment.id,
        payment.invoice_id,
        payment.state,
        payment.amount_minor,
        payment.currency,
        payment.method,
        payment.reference,
        payment.reason,
        payment.occurred_at,
    )
    return None if row is None else payment_of(row)


async def one(tx: Transaction, sql: str, *arguments: object) -> Payment | None:
    """The payment that a statement reads or changes; None where it finds none."""
    row = await tx.fetchrow(sql, *arguments)
    return None if row is None else payment_of(row)


async def of_invoice(
    tx: Transaction, org: UUID, invoice_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Payment]:
    """An invoice's payments in this order, those after the one with the key `after`."""
    where = Where(org).equal({"invoice_id": invoice_id})
    return [payment_of(row) for row in await order.read(tx, OF_INVOICE, where, after, limit)]


def payment_of(row: Row) -> Payment:
    """The payment of a row."""
    values = dict(row)
    values["state"] = PaymentState(values["state"])
    return Payment(**values)
