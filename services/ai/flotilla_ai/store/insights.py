"""What was noticed in conversations."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

ADD: Final = """
INSERT INTO insights (organization_id, id, conversation_id, message_id, identity_id, contact_id, kind, topic,
                      confidence, evidence)
SELECT * FROM jsonb_to_recordset($1) AS t (organization_id uuid, id uuid, conversation_id uuid, message_id uuid,
    identity_id uuid, contact_id uuid, kind text, topic text, confidence real, evidence jsonb)
ORDER BY organization_id, conversation_id, kind, topic
ON CONFLICT (organization_id, conversation_id, kind, topic) DO NOTHING RETURNING *"""

LIST: Final = "SELECT * FROM insights"

LOCK: Final = "SELECT * FROM insights WHERE organization_id = $1 AND id = $2 FOR UPDATE"

DECIDE: Final = """
UPDATE insights SET state = $3, decided_by = $4, decided_at = now(), sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING *"""


async def add(tx: Transaction, rows: Sequence[dict[str, Any]]) -> list[Row]:
    """What was not noticed of these conversations before."""
    return await tx.fetch(ADD, list(rows))


async def listing(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Those that fit, in this order, after the one with the key `after`. `filters`: column → value."""
    return await order.read(tx, LIST, Where(org).equal(filters), after, limit)


async def lock(tx: Transaction, org: UUID, insight_id: UUID) -> Row | None:
    """One, held until the transaction ends."""
    return await tx.fetchrow(LOCK, org, insight_id)


async def decide(tx: Transaction, org: UUID, insight_id: UUID, state: str, by: str) -> Row:
    """What a person thinks of one that is held."""
    row = await tx.fetchrow(DECIDE, org, insight_id, state, by)
    assert row is not None
    return row
