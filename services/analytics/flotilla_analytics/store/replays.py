"""SQL of replays and readings: what was wished for, and the archive in stretches."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_analytics.store.archive import COLUMNS

INSERT: Final = """
INSERT INTO replays (organization_id, id, service, projections, filter, state) VALUES ($1, $2, $3, $4, $5, 'requested')
ON CONFLICT DO NOTHING RETURNING id"""
STARTED: Final = """
UPDATE replays SET state = 'running', projections = $3, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state = 'requested'"""
FINISHED: Final = """
UPDATE replays SET state = 'finished', projections = $3, events = $4, added = $5, updated = $6, removed = $7,
                   ended_at = now(), sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND ended_at IS NULL"""
FAILED: Final = """
UPDATE replays SET state = 'failed', reason = $3, ended_at = now(), sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND ended_at IS NULL"""
READ: Final = "SELECT * FROM replays WHERE organization_id = $1 AND id = $2"
LIST: Final = "SELECT * FROM replays"
ENDED: Final = "SELECT ended_at IS NOT NULL FROM replays WHERE organization_id = $1 AND id = $2"

# The place in the archive where the service said that it had begun.
MARKER: Final = """
SELECT position FROM archive JOIN ledger ON ledger.event_id = archive.id
                                        AND ledger.organization_id = archive.organization_id
WHERE archive.organization_id = $1 AND subject = $2 AND type = 'replay.started.v1'"""
HEAD: Final = "SELECT coalesce(max(position), 0) FROM ledger"
UNARCHIVED: Final = """
SELECT count(*) FROM parked_events
WHERE handler = 'archive' AND (cardinality($1::text[]) = 0 OR type = ANY ($1))
  AND (cardinality($2::uuid[]) = 0 OR organization_id = ANY ($2))"""

# $7 and $8: types, and the group of each, within which only an entity's newest state is wanted. A newer one that has
# no position yet hides nothing: it might get its own after the reader has gone.
WANTED: Final = f"""
SELECT position, {COLUMNS}
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[]) AS entry (position, organization_id, id)
JOIN archive AS a USING (organization_id, id)
WHERE (cardinality($4::text[]) = 0 OR type = ANY ($4)) AND (cardinality($5::text[]) = 0 OR subject = ANY ($5))
  AND ($6::timestamptz IS NULL OR time >= $6)
  AND (cardinality($7::text[]) = 0 OR EXISTS (
      SELECT FROM unnest($7, $8::int[]) AS own (type, number)
      WHERE own.type = a.type AND NOT EXISTS (
          SELECT FROM archive AS n
          JOIN unnest($7, $8) AS other (type, number) ON other.type = n.type AND other.number = own.number
          JOIN ledger ON ledger.event_id = n.id AND ledger.organization_id = n.organization_id
          WHERE n.organization_id = a.organization_id AND n.subject = a.subject AND n.source = a.source
            AND n.sequence > a.sequence)))
ORDER BY position"""  # noqa: S608


async def insert(
    tx: Transaction, org: UUID, id_: UUID, service: str, projections: Sequence[str], wanted: Mapping[str, Any]
) -> bool:
    """Write a wish down; False where it was known."""
    return await tx.fetchval(INSERT, org, id_, service, list(projections), dict(wanted)) is not None


async def read(tx: Transaction, org: UUID, id_: UUID) -> Row | None:
    """One replay."""
    return await tx.fetchrow(READ, org, id_)


async def listing(
    tx: Transaction, org: UUID, service: str | None, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All, or those of a service, in this order, after the one with the key `after`."""
    return await order.read(tx, LIST, Where(org).equal({"service": service}), after, limit)


async def ended(tx: Transaction, org: UUID, id_: UUID) -> bool:
    """Whether it was answered."""
    return bool(await tx.fetchval(ENDED, org, id_))


async def marker(tx: Transaction, org: UUID, id_: UUID) -> int | None:
    """The position at which it had begun; None while that is not archived."""
    found: int | None = await tx.fetchval(MARKER, org, str(id_))
    return found
