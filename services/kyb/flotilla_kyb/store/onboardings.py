"""Deals that wait for the decision about a counterparty."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

COLUMNS: Final = (
    "id, sequence, counterparty_id, deal_id, state, request_id, saga_id, reason, decided_by, decided_at,"
    " created_at"
)
INSERT: Final = f"""
INSERT INTO onboardings (organization_id, id, counterparty_id, deal_id, saga_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (organization_id, counterparty_id, deal_id) WHERE state = 'waiting' DO NOTHING
RETURNING {COLUMNS}"""  # noqa: S608
ASK: Final = f"""
UPDATE onboardings SET request_id = $3 WHERE organization_id = $1 AND id = $2 AND state = 'waiting'
RETURNING {COLUMNS}"""  # noqa: S608
# Only one that has been asked for: before that its deal is not held, and there is nobody to answer.
WAITING: Final = f"""
SELECT {COLUMNS} FROM onboardings WHERE organization_id = $1 AND counterparty_id = $2 AND state = 'waiting'
AND request_id IS NOT NULL ORDER BY id FOR UPDATE"""  # noqa: S608
READ: Final = f"""
SELECT {COLUMNS} FROM onboardings WHERE organization_id = $1 AND counterparty_id = $2 AND id = $3"""  # noqa: S608
DECIDE: Final = f"""
UPDATE onboardings SET sequence = sequence + 1, state = $3, reason = $4, decided_by = $5, decided_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'waiting' RETURNING {COLUMNS}"""  # noqa: S608
LIST: Final = f"SELECT {COLUMNS} FROM onboardings"  # noqa: S608


async def waiting(tx: Transaction, org: UUID, counterparty_id: UUID) -> list[Row]:
    """Those of a counterparty that a decision would answer, held until the commit."""
    return await tx.fetch(WAITING, org, counterparty_id)


async def listing(
    tx: Transaction,
    org: UUID,
    counterparty_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """A counterparty's, in this order, after the one with the key `after`."""
    where = Where(org).equal({"counterparty_id": counterparty_id})
    return await order.read(tx, LIST, where, after, limit)
