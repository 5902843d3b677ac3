"""/v1/wallet: what the organization has paid beforehand, and what it bought."""

from typing import Literal
from uuid import UUID

from fastapi import Response
from flotilla.http import ConflictError, NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Written
from flotilla.http.routes import PEOPLE
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_CREATED
from flotilla.store.postgres import Row
from pydantic import AwareDatetime, Field

from flotilla_billing import dunning
from flotilla_billing.api.payments import Amount
from flotilla_billing.api.values import MoneyOut, Text
from flotilla_billing.domain.purchases import Purchase
from flotilla_billing.settings import settings_of
from flotilla_billing.store import purchases
from flotilla_billing.store import wallets as store
from flotilla_billing.store.wallets import Movement

wallet = Routes("/v1/wallet", tag="billing")
bought = Routes("/v1/purchases", tag="billing")


class WalletOut(Written):
    """Balances, a currency each."""

    balances: list[MoneyOut]


class EntryOut(Written):
    """What came to a balance, or below nothing what went, and what there was after it."""

    id: UUID
    kind: Literal["top_up", "payment", "refund", "plan"]
    amount: MoneyOut
    balance: MoneyOut
    purchase_id: UUID | None
    text: str
    created_at: AwareDatetime


class TopUpIn(Written):
    """Money that came for the balance: a transfer, say."""

    amount: Amount
    text: Text = Field("", max_length=200)


class PurchaseOut(Written):
    """Something the organization paid for because another service asked."""

    id: UUID
    state: Literal["pending", "succeeded", "failed", "refunding", "refunded"]
    amount: MoneyOut
    method: Literal["balance", "stripe"]
    purpose: str
    reference: str
    reason: str
    created_at: AwareDatetime


@wallet.get("", permission="billing:read")
async def read_wallet(tx: Tx, who: Who) -> WalletOut:
    """What is left of what was paid beforehand."""
    rows = await store.balances(tx, who.org)
    return WalletOut(
        balances=[MoneyOut(amount_minor=row["balance_minor"], currency=row["currency"]) for row in rows]
    )


@wallet.get("/entries", permission="billing:read")
async def list_wallet_entries(
    tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[EntryOut]:
    """The ledger, the latest first, or as `sort` says."""
    order = BY_CREATED[sort]
    rows = await store.entries(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([_entry(row) for row in rows], sort, order)


@wallet.post("/top-ups", permission="billing:write", recent=PEOPLE, status_code=201)
async def top_up_wallet(body: TopUpIn, tx: Tx, who: Who, response: Response) -> EntryOut:
    """Note money that came for the balance, and pay from it what is owed; an Idempotency-Key notes it once.

    409 where plans are paid through Stripe: what is bought there is charged to the subscription's card.
    """
    if settings_of(tx).sells_through_stripe:
        raise ConflictError("What is bought here is charged to the card of the subscription.")
    movement = Movement(
        organization_id=who.org,
        id=tx.app.new_id(),
        currency=body.amount.currency,
        amount_minor=body.amount.amount_minor,
        kind="top_up",
        text=body.text,
    )
    await store.move(tx, [movement])
    await dunning.collect(tx, who.org)
    response.headers["Location"] = "/v1/wallet/entries"
    return _entry(await store.entry(tx, who.org, movement.id))


@bought.get("", permission="billing:read")
async def list_purchases(
    tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[PurchaseOut]:
    """What was bought, the latest first, or as `sort` says."""
    order = BY_CREATED[sort]
    found = await purchases.page(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([_purchase(each) for each in found], sort, order)


@bought.get("/{purchase_id}", permission="billing:read")
async def read_purchase(purchase_id: UUID, tx: Tx, who: Who) -> PurchaseOut:
    """One of them; its id is that of the request that it answers."""
    purchase = await purchases.read(tx, who.org, purchase_id)
    if purchase is None:
        raise NotFoundError("There is no purchase with this id.")
    return _purchase(purchase)


def _entry(row: Row) -> EntryOut:
    currency = row["currency"]
    same = {name: row[name] for name in ("id", "kind", "purchase_id", "text", "created_at")}
    return EntryOut(
        **same,
        amount=MoneyOut(amount_minor=row["amount_minor"], currency=currency),
        balance=MoneyOut(amount_minor=row["balance_minor"], currency=currency),
    )


def _purchase(purchase: Purchase) -> PurchaseOut:
    same = ("id", "state", "method", "purpose", "reference", "reason", "created_at")
    amount = MoneyOut(amount_minor=purchase.amount_minor, currency=purchase.currency)
    return PurchaseOut(**{name: getattr(purchase, name) for name in same}, amount=amount)
