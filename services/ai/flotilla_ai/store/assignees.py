"""Who has which conversation."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

# In one order, so that two batches wait for each other; what came later before stays.
KEEP: Final = """
INSERT INTO conversation_assignees AS kept (organization_id, id, sequence, assignee_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[])
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = excluded.sequence, assignee_id = excluded.assignee_id
WHERE kept.sequence < excluded.sequence"""
OF: Final = "SELECT assignee_id FROM conversation_assignees WHERE organization_id = $1 AND id = $2"
MINE: Final = """
conversation_id IN (SELECT a.id FROM conversation_assignees a WHERE a.organization_id = {} AND a.assignee_id = {})"""
"""A condition of a list of drafts, for who sees those of their own conversations alone."""


async def keep(tx: Transaction, rows: Sequence[tuple[UUID, UUID, int, UUID | None]]) -> None:
    """(organization, conversation, its sequence, who has it), each conversation once."""
    ordered = sorted(rows, key=lambda row: row[:2])
    await tx.execute(KEEP, *(list(column) for column in zip(*ordered, strict=True)))


async def assignee_of(tx: Transaction, org: UUID, conversation_id: UUID) -> UUID | None:
    """Who has it; None: nobody."""
    found: UUID | None = await tx.fetchval(OF, org, conversation_id)
    return found
