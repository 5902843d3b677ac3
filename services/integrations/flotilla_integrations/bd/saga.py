"""bd_purchase: reserved, paid, handed over, given to who writes from it; or given back, the money too."""

from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events import bd_accounts as events
from flotilla.events.billing import (
    PaymentFailed,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentRefundRequested,
    PaymentRequested,
    PaymentSucceeded,
)
from flotilla.events.integrations import IntegrationDisconnected
from flotilla.sagas import End, SagaKind, Step, Undo
from flotilla.store.postgres import Transaction

from flotilla_integrations.bd import commands, seller
from flotilla_integrations.bd.domain import RENT, BdAccount, Offer, Purchase
from flotilla_integrations.events import say_account
from flotilla_integrations.store import accounts
from flotilla_integrations.store import bd as store

RENT_ENDED: Final = "bd_rent_ended"
LANE: Final = "market"
HAND_OVER_WITHIN: Final = timedelta(minutes=10)
OVER: Final = "The rent has ended."
PURPOSE_LENGTH: Final = 120


class Buying(msgspec.Struct, frozen=True, kw_only=True):
    """What the saga knows of a purchase."""

    purchase_id: UUID
    title: str
    price_minor: int
    currency: str


class Rented(msgspec.Struct, frozen=True):
    """The rent that ends."""

    purchase_id: UUID


async def reserve(tx: Transaction, org: UUID, offer: Offer, user_id: UUID, cause: Cause) -> Purchase:
    """Begin a purchase of an offer that was just reserved for it."""
    assert offer.purchase_id is not None
    purchase = await store.one(
        tx,
        Purchase,
        store.ADD_PURCHASE,
        org,
        offer.purchase_id,
        offer.id,
        offer.seller_id,
        offer.account_id,
        tx.app.new_id(),
        offer.kind,
        offer.network,
        offer.title,
        offer.price_minor,
        offer.currency,
        offer.rent_days,
        offer.daily_limit,
        user_id,
    )
    assert purchase is not None
    context = Buying(
        purchase_id=purchase.id,
        title=purchase.title,
        price_minor=purchase.price_minor,
        currency=purchase.currency,
    )
    await purchase_saga.start(tx, org, purchase.id, context, cause)
    return purchase


def _pay(buying: Buying, request_id: UUID) -> PaymentRequested:
    return PaymentRequested(
        request_id=request_id,
        amount_minor=buying.price_minor,
        currency=buying.currency,
        purpose=f"Account “{buying.title[:PURPOSE_LENGTH]}”",
        reference=f"bd_purchase:{buying.purchase_id}",
    )


def _refund(_: Buying, request_id: UUID, cancels: UUID, reason: str) -> PaymentRefundRequested:
    return PaymentRefundRequested(request_id=request_id, cancels=cancels, reason=reason)


def _hand_over(buying: Buying, request_id: UUID) -> events.BdAccountHandoverRequested:
    return events.BdAccountHandoverRequested(request_id=request_id, purchase_id=buying.purchase_id)


def _revoke(buying: Buying, request_id: UUID, cancels: UUID, reason: str) -> events.BdAccountRevokeRequested:
    return events.BdAccountRevokeRequested(
        request_id=request_id, purchase_id=buying.purchase_id, cancels=cancels, reason=reason
    )


async def _done(tx: Transaction, end: End[Buying]) -> None:
    """It is the buyer's: said, given to who writes from it, and the seller's side settled."""
    purchase = await store.one(tx, Purchase, store.LOCK_PURCHASE, end.org, end.context.purchase_id)
    if purchase is None or purchase.state != "handed":
        return
    rent = purchase.kind == RENT
    purchase = await store.move_purchase(tx, purchase, "done")
    offer = await store.move_offer(tx, purchase, "rented" if rent else "sold")
    account_id, days = purchase.bd_account_id, purchase.rent_days or 0
    ends_at = await tx.fetchval(store.ACQUIRE, end.org, account_id, purchase.user_id, days)
    kind = events.BdAccountRented if rent else events.BdAccountPurchased
    account = await commands.tell(tx, end.org, account_id, kind, end.cause)
    await commands.tell_bidi(tx, account, purchase.user_id, events.BidiAssigned, end.cause)
    if rent:
        key = str(purchase.id)
        tx.set_timer(RENT_ENDED, key, ends_at, Rented(purchase.id), org=end.org, cause=end.cause)
    seller.ask(tx, offer, end.cause)


async def _undone(tx: Transaction, end: End[Buying]) -> None:
    """The offer stands again; the money, where it was paid, is back."""
    purchase = await store.one(tx, Purchase, store.LOCK_PURCHASE, end.org, end.context.purchase_id)
    if purchase is None or purchase.state in ("done", "failed", "released"):
        return
    reason = end.saga.reason or ""
    purchase = await store.move_purchase(tx, purchase, "failed", reason=reason)
    offer = await store.move_offer(tx, purchase, "open")
    tx.emit(purchase.never_had(reason), org=end.org, sequence=purchase.sequence, cause=end.cause)
    seller.ask(tx, offer, end.cause)


async def give_back(tx: Transaction, account: BdAccount, reason: str, cause: Cause) -> None:
    """End a rent: the buyer's account is disconnected and its credentials are forgotten; the offer stands again."""
    org = account.organization_id
    assert account.purchase_id is not None
    purchase = await store.one(tx, Purchase, store.LOCK_PURCHASE, org, account.purchase_id)
    if purchase is None or purchase.state != "done":
        return
    await store.move_purchase(tx, purchase, "released", reason=reason)
    await commands.assign(tx, account, None, cause)
    await tx.execute(store.SET_STATE, org, account.id, "released", reason)
    await forget(tx, org, account.id, cause)
    await commands.tell(tx, org, account.id, events.BdAccountReleased, cause)
    tx.cancel_timer(RENT_ENDED, str(purchase.id))
    seller.ask(tx, await store.move_offer(tx, purchase, "open"), cause)


async def forget(tx: Transaction, org: UUID, account_id: UUID, cause: Cause) -> None:
    """Disconnect the buyer's account without telling the vendor, who is the seller's again."""
    after = await accounts.one(tx, accounts.DISCONNECT, org, account_id)
    if after is None:
        return
    await tx.execute(accounts.FORGET_CREDENTIALS, org, account_id, after.sequence)
    await say_account(tx, replace(after, sealed=None), IntegrationDisconnected, cause)


async def _rent_ended(tx: Transaction, job: Job) -> None:
    purchase = await store.one(tx, Purchase, store.PURCHASE, job.org, job.payload.purchase_id)
    if purchase is None:
        return
    account = await store.one(tx, BdAccount, store.LOCK, job.org, purchase.bd_account_id)
    if account is not None:
        await give_back(tx, account, OVER, job.cause)


purchase_saga: Final = SagaKind(
    "bd_purchase",
    context=Buying,
    steps=(
        Step(
            "payment",
            wish=_pay,
            granted=PaymentSucceeded,
            refused=PaymentFailed,
            undo=Undo(wish=_refund, granted=PaymentRefunded, refused=PaymentRefundFailed),
        ),
        Step(
            "hand_over",
            wish=_hand_over,
            granted=events.BdAccountHandedOver,
            refused=events.BdAccountHandoverFailed,
            undo=Undo(wish=_revoke, granted=events.BdAccountRevoked, refused=events.BdAccountRevokeFailed),
            within=HAND_OVER_WITHIN,
        ),
    ),
    done=_done,
    undone=_undone,
    lane=LANE,
)
rent_ended: Final = TimerKind(RENT_ENDED, Rented, _rent_ended)
