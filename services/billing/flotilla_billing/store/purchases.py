"""Purchases."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_billing.domain.purchases import Purchase, PurchaseState

INSERT: Final = """
INSERT INTO purchases SELECT * FROM jsonb_populate_recordset(NULL::purchases, $1::jsonb)"""

LOCK: Final = """
SELECT p.* FROM purchases p
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON p.organization_id = t.org AND p.id = t.id
ORDER BY p.organization_id, p.id FOR UPDATE OF p"""

READ: Final = "SELECT * FROM purchases WHERE organization_id = $1 AND id = $2"

PAGE: Final = "SELECT * FROM purchases"

SAVE: Final = """
UPDATE purchases p
SET sequence = p.sequence + 1, state = t.state, intent_id = t.intent_id, refund_request_id = t.refund_request_id,
    reason = t.reason, occurred_at = now()
FROM jsonb_populate_recordset(NULL::purchases, $1::jsonb) AS t
WHERE p.organization_id = t.organization_id AND p.id = t.id RETURNING p.*"""


async def insert(tx: Transaction, purchases: Sequence[Purchase]) -> None:
    """New ones."""
    if purchases:
        await tx.execute(INSERT, msgspec.to_builtins(list(purchases)))


async def lock(tx: Transaction, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Purchase]:
    """By (organization, id), held until the commit; those that there are."""
    rows = await tx.fetch(LOCK, [org for org, _ in keys], [id_ for _, id_ in keys])
    return {(row["organization_id"], row["id"]): purchase_of(row) for row in rows}


async def read(tx: Transaction, org: UUID, purchase_id: UUID) -> Purchase | None:
    """One of them."""
    row = await tx.fetchrow(READ, org, purchase_id)
    return None if row is None else purchase_of(row)


async def page(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Purchase]:
    """`limit` of them in this order, after the one with the key `after`."""
    return [purchase_of(row) for row in await order.read(tx, PAGE, Where(org), after, limit)]


async def save(tx: Transaction, changed: Sequence[Purchase]) -> list[Purchase]:
    """Write ones that the transaction holds: with their next sequences."""
    if not changed:
        return []
    return [purchase_of(row) for row in await tx.fetch(SAVE, msgspec.to_builtins(list(changed)))]


def purchase_of(row: Row) -> Purchase:
    """The purchase of a row."""
    values = dict(row)
    values["state"] = PurchaseState(values["state"])
    return Purchase(**values)
