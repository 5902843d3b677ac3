"""How conversations stand on BANT: one row each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_ai.domain.qualification import Entry

# One statement makes the rows that are missing and holds all of them, in one order for all processes; a contact
# that is known now is kept on the way.
HOLD: Final = """
INSERT INTO qualifications AS q (organization_id, id, conversation_id, identity_id, contact_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[])
     AS t (org, id, conversation, identity, contact)
ORDER BY org, conversation
ON CONFLICT (organization_id, conversation_id) DO UPDATE SET contact_id = coalesce(excluded.contact_id, q.contact_id)
RETURNING *"""

SAVE: Final = """
UPDATE qualifications q
SET entries = t.entries, total = t.total, model = t.model, sequence = q.sequence + 1, updated_at = now(),
    qualified_at = coalesce(q.qualified_at, CASE WHEN t.qualified THEN now() END)
FROM jsonb_to_recordset($1)
     AS t (organization_id uuid, id uuid, entries jsonb, total int, model text, qualified boolean)
WHERE q.organization_id = t.organization_id AND q.id = t.id
RETURNING q.*"""

LOCK: Final = "SELECT * FROM qualifications WHERE organization_id = $1 AND conversation_id = $2 FOR UPDATE"

LIST: Final = "SELECT * FROM qualifications"


@dataclass(frozen=True, slots=True)
class Held:
    """A conversation's row, held until the transaction ends."""

    org: UUID
    id: UUID
    conversation_id: UUID
    identity_id: UUID
    contact_id: UUID | None
    entries: list[Entry]
    qualified_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> "Held":
        """A row."""
        return cls(
            row["organization_id"],
            row["id"],
            row["conversation_id"],
            row["identity_id"],
            row["contact_id"],
            entries_of(row),
            row["qualified_at"],
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """What a conversation's row begins with."""

    org: UUID
    id: UUID
    conversation_id: UUID
    identity_id: UUID
    contact_id: UUID | None


def entries_of(row: Row) -> list[Entry]:
    """What its messages said."""
    return msgspec.convert(row["entries"], list[Entry], strict=False)


async def hold(tx: Transaction, openings: Sequence[Opening]) -> list[Held]:
    """The rows of these conversations, each named once; made where there are none."""
    rows = await tx.fetch(
        HOLD,
        [each.org for each in openings],
        [each.id for each in openings],
        [each.conversation_id for each in openings],
        [each.identity_id for each in openings],
        [each.contact_id for each in openings],
    )
    return [Held.of(row) for row in rows]


async def save(tx: Transaction, rows: Sequence[dict[str, Any]]) -> list[Row]:
    """New entries and totals of rows that are held; `qualified` dates the first time."""
    return await tx.fetch(SAVE, list(rows))


async def lock(tx: Transaction, org: UUID, conversation_id: UUID) -> Held | None:
    """One conversation's row, held."""
    row = await tx.fetchrow(LOCK, org, conversation_id)
    return Held.of(row) if row else None


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
