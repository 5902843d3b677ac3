"""Rows of business development accounts, of the market, and of purchases."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, TypeVar
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_integrations.bd.domain import BdAccount, Offer, Purchase

FROM: Final = """
SELECT b.*, a.connector AS network, a.name,
    coalesce((SELECT u.sent FROM bd_usage u WHERE u.organization_id = b.organization_id AND u.bd_account_id = b.id
              AND u.day = (now() AT TIME ZONE 'UTC')::date), 0) AS sent_today
FROM bd_accounts b JOIN accounts a ON a.organization_id = b.organization_id AND a.id = b.id"""
READ: Final = f"{FROM} WHERE b.organization_id = $1 AND b.id = $2"
LOCK: Final = f"{READ} FOR UPDATE OF b"

ADD: Final = """
INSERT INTO bd_accounts (organization_id, id, acquired, state, user_id, daily_limit, warm_up_started_at, warm_up_days,
                         purchase_id)
VALUES ($1, $2, $3, 'connected', $4, $5, CASE WHEN $6 > 0 THEN now() END, $6, $7)
ON CONFLICT DO NOTHING RETURNING id"""
CHANGE: Final = """
UPDATE bd_accounts SET daily_limit = $3, warm_up_days = $4, sequence = sequence + 1,
    warm_up_started_at = CASE WHEN $4 = 0 THEN NULL WHEN warm_up_days = $4 THEN warm_up_started_at ELSE now() END
WHERE organization_id = $1 AND id = $2"""
SET_STATE: Final = """
UPDATE bd_accounts SET state = $3, reason = $4, sequence = sequence + 1 WHERE organization_id = $1 AND id = $2"""
ASSIGN: Final = """
UPDATE bd_accounts SET user_id = $3, sequence = sequence + 1 WHERE organization_id = $1 AND id = $2"""
ACQUIRE: Final = """
UPDATE bd_accounts SET user_id = $3, sequence = sequence + 1,
    rent_ends_at = CASE WHEN acquired = 'rented' THEN now() + make_interval(days => $4) END
WHERE organization_id = $1 AND id = $2 RETURNING rent_ends_at"""
# It follows its connected account; what is lent, sold or released has states of its own.
FOLLOW: Final = """
UPDATE bd_accounts SET state = $3, reason = $4, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state IN ('connected', 'disconnected') AND state <> $3 RETURNING id"""

IS_LIMITED: Final = "SELECT true FROM bd_accounts WHERE organization_id = $1 AND id = $2"
# One statement: two processes never send more than the limit between them.
SPEND: Final = """
INSERT INTO bd_usage AS u (organization_id, bd_account_id, day, sent)
VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date, 1)
ON CONFLICT (organization_id, bd_account_id, day) DO UPDATE SET sent = u.sent + 1 WHERE u.sent < $3 RETURNING sent"""

OFFER: Final = "SELECT * FROM bd_offers WHERE id = $1"
LOCK_OFFER: Final = f"{OFFER} FOR UPDATE"
OFFERS: Final = "SELECT * FROM bd_offers"
ON_MARKET: Final = "state = 'open'"
ADD_OFFER: Final = """
INSERT INTO bd_offers (id, seller_id, account_id, kind, network, title, price_minor, currency, rent_days, daily_limit)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING *"""
WITHDRAW: Final = """
UPDATE bd_offers SET state = 'withdrawn', sequence = sequence + 1
WHERE id = $1 AND seller_id = $2 AND state = 'open' RETURNING *"""
WITHDRAW_ALL: Final = """
UPDATE bd_offers SET state = 'withdrawn', sequence = sequence + 1
WHERE account_id = $1 AND seller_id = $2 AND state = 'open'"""
RESERVE: Final = """
UPDATE bd_offers SET state = 'reserved', purchase_id = $2, sequence = sequence + 1
WHERE id = $1 AND state = 'open' AND seller_id <> $3 RETURNING *"""
# Only by the purchase that has it.
MOVE_OFFER: Final = """
UPDATE bd_offers SET state = $3, purchase_id = CASE WHEN $3 = 'open' THEN NULL ELSE purchase_id END,
    sequence = sequence + 1
WHERE id = $1 AND purchase_id = $2 RETURNING *"""

ADD_PURCHASE: Final = """
INSERT INTO bd_purchases (organization_id, id, offer_id, seller_id, source_account_id, bd_account_id, kind, network,
                          title, price_minor, currency, rent_days, daily_limit, user_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING *"""
PURCHASE: Final = "SELECT * FROM bd_purchases WHERE organization_id = $1 AND id = $2"
LOCK_PURCHASE: Final = f"{PURCHASE} FOR UPDATE"
LOCK_BY_HANDOVER: Final = """
SELECT * FROM bd_purchases WHERE organization_id = $1 AND handover_request_id = $2 FOR UPDATE"""
PURCHASES: Final = "SELECT * FROM bd_purchases"
MOVE_PURCHASE: Final = """
UPDATE bd_purchases SET state = $3, reason = coalesce($4, reason), sequence = sequence + 1,
    handover_request_id = coalesce($5, handover_request_id), revoke_request_id = coalesce($6, revoke_request_id)
WHERE organization_id = $1 AND id = $2 RETURNING *"""

T = TypeVar("T", BdAccount, Offer, Purchase)


def as_(type_: type[T], row: Row) -> T:
    """A row as what it is."""
    return type_(**{field.name: row[field.name] for field in fields(type_)})


async def one(tx: Transaction, type_: type[T], sql: str, *arguments: Any) -> T | None:
    """What a statement finds."""
    row = await tx.fetchrow(sql, *arguments)
    return as_(type_, row) if row else None


async def accounts_of(
    tx: Transaction, org: UUID, user_id: UUID | None, order: Order, after: Sequence[object] | None, limit: int
) -> list[BdAccount]:
    """`limit` accounts, or those that one person writes from, in this order, after the one with the key `after`."""
    where = Where(org, table="b").equal({"user_id": user_id})
    return [as_(BdAccount, row) for row in await order.read(tx, FROM, where, after, limit)]


async def offers(
    tx: Transaction, filters: Mapping[str, Any], order: Order, after: Sequence[object] | None, limit: int
) -> list[Offer]:
    """`limit` offers that fit, alike: of one `seller_id` whatever became of them, of all what is on the market."""
    where = Where.without_tenant(filters)
    if filters.get("seller_id") is None:
        where.also(ON_MARKET)
    return [as_(Offer, row) for row in await order.read(tx, OFFERS, where, after, limit)]


async def purchases(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Purchase]:
    """`limit` of what an organization bought and rented, alike."""
    return [as_(Purchase, row) for row in await order.read(tx, PURCHASES, Where(org), after, limit)]


async def account(tx: Transaction, org: UUID, id_: UUID) -> BdAccount:
    """One that is there."""
    found = await one(tx, BdAccount, READ, org, id_)
    assert found is not None
    return found


async def move_offer(tx: Transaction, purchase: Purchase, state: str) -> Offer | None:
    """The offer's next state; None where another purchase has it by now."""
    return await one(tx, Offer, MOVE_OFFER, purchase.offer_id, purchase.id, state)


async def move_purchase(
    tx: Transaction,
    purchase: Purchase,
    state: str,
    *,
    reason: str | None = None,
    handover: UUID | None = None,
    revoke: UUID | None = None,
) -> Purchase:
    """Its next state."""
    org = purchase.organization_id
    moved = await one(tx, Purchase, MOVE_PURCHASE, org, purchase.id, state, reason, handover, revoke)
    assert moved is not None
    return moved
