"""What was noticed in conversations."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

ADD: Final = """
INSERT INTO insights (organization_id, id, conversation_id, message_id, identity_id, contact_id, kind, topic,
                      confidence, evidence)
SELECT * FROM jsonb_to_recordset($1) AS t (organization_id uuid, id uuid, conversation_id uuid, message_id uuid,
    identity_id uuid, contact_id uuid, kind text, topic text, confidence real, evidence jsonb)
ORDER BY organization_id, conversation_id, kind, topic
ON CONFLICT (organization_id, conversation_id, kind, topic) DO NOTHING RETURNING *"""

_LIST: Final = """
SELECT * FROM insights WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2) {filters}
ORDER BY id DESC LIMIT $3"""
LIST: Final = {
    (False, False): _LIST.format(filters=""),
    (True, False): _LIST.format(filters="AND conversation_id = $4"),
    (False, True): _LIST.format(filters="AND state = $4"),
    (True, True): _LIST.format(filters="AND conversation_id = $4 AND state = $5"),
}

LOCK: Final = "SELECT * FROM insights WHERE organization_id = $1 AND id = $2 FOR UPDATE"

DECIDE: Final = """
UPDATE insights SET state = $3, decided_by = $4, decided_at = now(), sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING *"""


async def add(tx: Transaction, rows: Sequence[dict[str, Any]]) -> list[Row]:
    """What was not noticed of these conversations before."""
    return await tx.fetch(ADD, list(rows))


async def newest(
    tx: Transaction,
    org: UUID,
    after: UUID | None,
    limit: int,
    conversation_id: UUID | None,
    state: str | None,
) -> list[Row]:
    """The newest first; one more than `limit`, where there are more."""
    filters = [value for value in (conversation_id, state) if value is not None]
    sql = LIST[conversation_id is not None, state is not None]
    return await tx.fetch(sql, org, after, limit + 1, *filters)


async def lock(tx: Transaction, org: UUID, insight_id: UUID) -> Row | None:
    """One, held until the transaction ends."""
    return await tx.fetchrow(LOCK, org, insight_id)


async def decide(tx: Transaction, org: UUID, insight_id: UUID, state: str, by: str) -> Row:
    """What a person thinks of one that is held."""
    row = await tx.fetchrow(DECIDE, org, insight_id, state, by)
    assert row is not None
    return row
