"""Wishes that the organization pays for something, and that it has its money back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.base import Money
from flotilla.events.billing import PaymentFailed, PaymentRefundRequested, PaymentRequested
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_billing import purchasing
from flotilla_billing.domain.invoices import CANCELLED
from flotilla_billing.domain.purchases import BALANCE, never_taken
from flotilla_billing.store import purchases as store


@reaction(PaymentRequested, lane="purchases")
async def pay_requested(tx: Transaction, batch: Sequence[Received[PaymentRequested]]) -> None:
    """Pay once for each request; one that was taken back before it came is refused."""
    granted, cancelled = await wishes.take(tx, batch)
    for event in cancelled:
        wish = event.data
        failed = PaymentFailed(
            payment_id=wish.request_id,
            invoice_id=None,
            request_id=wish.request_id,
            amount=Money(amount_minor=wish.amount_minor, currency=wish.currency),
            method=BALANCE,
            purpose=wish.purpose,
            reference=wish.reference,
            occurred_at=datetime.now(UTC),
            reason=CANCELLED,
        )
        answer = replace(event.cause, request_id=wish.request_id)
        # After the tombstone's `payment.refunded`.
        tx.emit(failed, org=event.org, sequence=2, cause=answer)
    if granted:
        await purchasing.pay(tx, granted)


@reaction(PaymentRefundRequested, lane="purchases")
async def refund_requested(tx: Transaction, batch: Sequence[Received[PaymentRefundRequested]]) -> None:
    """Give money back, once for each purchase however often it is asked; what never came is refused when it does."""
    await wishes.cancel(tx, batch)
    keys = sorted({(event.org, event.data.cancels) for event in batch})
    held = await store.lock(tx, keys)
    for event in sorted(batch, key=lambda event: event.id):
        key = event.org, event.data.cancels
        if (purchase := held.get(key)) is not None:
            await purchasing.give_back(tx, purchase, event.data, event.cause)
            held |= await store.lock(tx, [key])
            continue
        answer = replace(event.cause, request_id=event.data.request_id)
        tx.emit(never_taken(event.data, datetime.now(UTC)), org=event.org, sequence=1, cause=answer)
