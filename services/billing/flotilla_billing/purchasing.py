"""Paying for what an organization buys, and giving it back: from its balance at once, or through Stripe by a job."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.billing import PaymentRefundFailed, PaymentRefundRequested, PaymentRequested
from flotilla.store.postgres import Transaction

from flotilla_billing.domain.money import LARGEST_AMOUNT
from flotilla_billing.domain.purchases import (
    BALANCE,
    LONGEST_TEXT,
    STRIPE,
    Purchase,
    PurchaseState,
    objection,
)
from flotilla_billing.settings import settings_of
from flotilla_billing.store import purchases as store
from flotilla_billing.store import subscriptions, wallets
from flotilla_billing.store.wallets import Movement

CHARGE: Final = "stripe_charge"
GIVE_BACK: Final = "stripe_give_back"
NOT_COVERED: Final = "The prepaid balance does not cover it: top it up."


class Charge(msgspec.Struct, frozen=True):
    """The purchase that a job is about."""

    purchase_id: UUID


async def pay(tx: Transaction, wishes: Sequence[Received[PaymentRequested]]) -> None:
    """Pay what was not asked for before; answered now, or when Stripe has."""
    orgs = sorted({event.org for event in wishes})
    paying = await subscriptions.paying(tx, orgs) if settings_of(tx).sells_through_stripe else set()
    drafts = [_purchase(event, STRIPE if event.org in paying else BALANCE) for event in wishes]
    covered = await wallets.move(tx, [_debit(each) for each in drafts if _takes_from_balance(each)])
    made = [_settled(each, covered.get((each.organization_id, each.id), False)) for each in drafts]
    await store.insert(tx, made)
    for purchase, event in zip(made, wishes, strict=True):
        if purchase.state is PurchaseState.PENDING:
            charge = Charge(purchase.id)
            tx.enqueue(CHARGE, str(purchase.id), charge, org=purchase.organization_id, cause=event)
        else:
            tell(tx, purchase, event.cause)


async def give_back(tx: Transaction, purchase: Purchase, wish: PaymentRefundRequested, cause: Cause) -> None:
    """Give a purchase that the transaction holds back: now, or when Stripe has; what never was paid is no debt."""
    wanted = replace(purchase, refund_request_id=wish.request_id)
    match purchase.state:
        case PurchaseState.SUCCEEDED if purchase.method == BALANCE:
            await wallets.move(tx, [_credit(purchase, tx.app.new_id())])
            wanted = replace(wanted, state=PurchaseState.REFUNDED)
        case PurchaseState.SUCCEEDED:
            wanted = replace(wanted, state=PurchaseState.REFUNDING)
            tx.enqueue(
                GIVE_BACK,
                f"{purchase.id}:{wish.request_id}",
                Charge(purchase.id),
                org=purchase.organization_id,
                cause=cause,
            )
        case PurchaseState.PENDING | PurchaseState.REFUNDING | PurchaseState.REFUNDED | PurchaseState.FAILED:
            pass  # told below, or when the outcome is known
    (saved,) = await store.save(tx, [wanted])
    if saved.state in (PurchaseState.REFUNDED, PurchaseState.FAILED):
        tell_refunded(tx, saved, cause)


async def settle(
    tx: Transaction, purchase: Purchase, cause: Cause, intent_id: str | None, reason: str
) -> None:
    """Stripe's word on a purchase that the transaction holds: no reason: it is paid. Only the first counts."""
    if purchase.state is not PurchaseState.PENDING:
        return
    state = PurchaseState.FAILED if reason else PurchaseState.SUCCEEDED
    wanted = replace(purchase, state=state, intent_id=intent_id, reason=reason[:LONGEST_TEXT])
    (saved,) = await store.save(tx, [wanted])
    tell(tx, saved, cause)
    if saved.refund_request_id is None:
        return
    wish = PaymentRefundRequested(request_id=saved.refund_request_id, cancels=saved.id, reason="")
    await give_back(tx, saved, wish, cause)


async def settle_refund(tx: Transaction, purchase: Purchase, cause: Cause, reason: str) -> None:
    """Stripe's word on money that was asked back; no reason: it is given back."""
    if purchase.state is not PurchaseState.REFUNDING:
        return
    request_id = purchase.refund_request_id
    assert request_id is not None
    state = PurchaseState.SUCCEEDED if reason else PurchaseState.REFUNDED
    (saved,) = await store.save(tx, [replace(purchase, state=state)])
    if not reason:
        tell_refunded(tx, saved, cause)
        return
    refused = PaymentRefundFailed(request_id=request_id, cancels=saved.id, reason=reason[:LONGEST_TEXT])
    tx.emit(refused, org=saved.organization_id, sequence=1, cause=replace(cause, request_id=request_id))


def tell(tx: Transaction, purchase: Purchase, cause: Cause) -> None:
    """Answer the wish, to owners and administrators."""
    event = purchase.failed() if purchase.state is PurchaseState.FAILED else purchase.succeeded()
    answer = replace(cause, request_id=purchase.id)
    tx.emit(event, org=purchase.organization_id, sequence=purchase.sequence, cause=answer)


def tell_refunded(tx: Transaction, purchase: Purchase, cause: Cause) -> None:
    """Answer the undo."""
    request_id = purchase.refund_request_id
    assert request_id is not None
    answer = replace(cause, request_id=request_id)
    told = purchase.refunded(request_id)
    tx.emit(told, org=purchase.organization_id, sequence=purchase.sequence, cause=answer)


def _purchase(event: Received[PaymentRequested], method: str) -> Purchase:
    wish, now = event.data, datetime.now(UTC)
    refused = objection(wish)
    return Purchase(
        organization_id=event.org,
        id=wish.request_id,
        state=PurchaseState.FAILED if refused else PurchaseState.PENDING,
        amount_minor=max(-LARGEST_AMOUNT, min(wish.amount_minor, LARGEST_AMOUNT)),
        currency=wish.currency[:LONGEST_TEXT],
        purpose=wish.purpose[:LONGEST_TEXT],
        reference=wish.reference[:LONGEST_TEXT],
        method=method,
        reason=refused or "",
        occurred_at=now,
        created_at=now,
    )


def _takes_from_balance(purchase: Purchase) -> bool:
    return purchase.method == BALANCE and purchase.state is PurchaseState.PENDING


def _settled(purchase: Purchase, covered: bool) -> Purchase:
    if not _takes_from_balance(purchase):
        return purchase
    if covered:
        return replace(purchase, state=PurchaseState.SUCCEEDED)
    return replace(purchase, state=PurchaseState.FAILED, reason=NOT_COVERED)


def _debit(purchase: Purchase) -> Movement:
    return Movement(
        organization_id=purchase.organization_id,
        id=purchase.id,
        currency=purchase.currency,
        amount_minor=-purchase.amount_minor,
        kind="payment",
        text=purchase.purpose,
        purchase_id=purchase.id,
    )


def _credit(purchase: Purchase, entry_id: UUID) -> Movement:
    return Movement(
        organization_id=purchase.organization_id,
        id=entry_id,
        currency=purchase.currency,
        amount_minor=purchase.amount_minor,
        kind="refund",
        text=purchase.purpose,
        purchase_id=purchase.id,
    )
