"""SQL of the ledger: positions, blocks and the cursors of the folds. No tenants: ids and hashes only."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

from flotilla_analytics.domain.chain import FIRST_HASH, Block, Entry

LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('analytics.ledger'))"

READ_HEAD: Final = "SELECT position_to, hash FROM blocks ORDER BY position_to DESC LIMIT 1"

# By their places: no row is ever changed, and only who holds the lock deletes, so that a place stays its row's.
TAKE_UNSEALED: Final = """
DELETE FROM unsealed WHERE ctid = ANY(ARRAY(SELECT ctid FROM unsealed ORDER BY event_id LIMIT $1))
RETURNING event_id, organization_id, hash, event_type"""

INSERT_ENTRIES: Final = """
INSERT INTO ledger (position, event_id, organization_id, hash, event_type)
SELECT $1 + ordinality - 1, event_id, organization_id, hash, type
FROM unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::text[]) WITH ORDINALITY
     AS entry (event_id, organization_id, hash, type, ordinality)"""

INSERT_BLOCK: Final = """
INSERT INTO blocks (position_from, position_to, previous_hash, content, hash) VALUES ($1, $2, $3, $4, $5)"""

READ_AFTER: Final = """
SELECT position, organization_id, event_id FROM ledger WHERE position > $1 ORDER BY position LIMIT $2"""

# Each organization by its own index: a few among very many are read without going through everybody's. As rows: with an
# equality the planner takes the order of positions alone, and looks through all of them for one that has few.
READ_OWN_AFTER: Final = """
SELECT own.position, own.organization_id, own.event_id
FROM unnest($3::uuid[]) AS org (id) CROSS JOIN LATERAL (
    SELECT * FROM ledger
    WHERE (organization_id, position) > (org.id, $1) AND (organization_id, position) <= (org.id, 9223372036854775807)
    ORDER BY organization_id, position LIMIT $2
) AS own
ORDER BY own.position LIMIT $2"""

READ_LAST: Final = "SELECT coalesce(max(position), 0) FROM ledger"

# One row, so that what nobody wants is not even sent: where the stretch ends, and what of it is of these types.
READ_STRETCH: Final = """
WITH stretch AS (
    SELECT position, organization_id, event_id, event_type = ANY($3) IS NOT FALSE AS wanted FROM ledger
    WHERE position > $1 ORDER BY position LIMIT $2)
SELECT max(position) AS upto, array_agg(position ORDER BY position) FILTER (WHERE wanted) AS positions,
       array_agg(organization_id ORDER BY position) FILTER (WHERE wanted) AS orgs,
       array_agg(event_id ORDER BY position) FILTER (WHERE wanted) AS ids
FROM stretch"""

READ_CURSOR: Final = "SELECT position FROM cursors WHERE name = $1"

MAKE_CURSOR: Final = "INSERT INTO cursors (name) VALUES ($1) ON CONFLICT (name) DO NOTHING"

LOCK_CURSOR: Final = "SELECT position FROM cursors WHERE name = $1 FOR UPDATE"

MOVE_CURSOR: Final = "UPDATE cursors SET position = $2 WHERE name = $1"


SET_CURSOR: Final = """
INSERT INTO cursors (name, position) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET position = greatest(cursors.position, excluded.position)"""

FORGET_CURSOR: Final = "DELETE FROM cursors WHERE name = $1"


async def read_head(tx: Transaction) -> tuple[int, bytes]:
    """The last sealed position and the hash the next block follows. Nobody else seals until this ends."""
    await tx.execute(LOCK)
    row = await tx.fetchrow(READ_HEAD)
    return (row["position_to"], row["hash"]) if row else (0, FIRST_HASH)


async def take_unsealed(tx: Transaction, limit: int) -> list[Entry]:
    """Committed events without a position, oldest ids first; theirs no longer once this commits."""
    rows = await tx.fetch(TAKE_UNSEALED, limit)
    entries = [Entry(row["event_id"], row["organization_id"], row["hash"], row["event_type"]) for row in rows]
    return sorted(entries, key=lambda entry: (entry.event_id, entry.organization_id))


async def append(tx: Transaction, block: Block, entries: list[Entry]) -> None:
    """Write a block and its entries."""
    await tx.execute(
        INSERT_ENTRIES,
        block.position_from,
        [entry.event_id for entry in entries],
        [entry.organization_id for entry in entries],
        [entry.hash for entry in entries],
        [entry.type for entry in entries],
    )
    await tx.execute(
        INSERT_BLOCK, block.position_from, block.position_to, block.previous_hash, block.content, block.hash
    )


async def read_cursor(db: Database, name: str) -> int:
    """Up to which position a fold has come; 0 for a new one."""
    return int(await db.fetchval(READ_CURSOR, name) or 0)


async def read_after(
    db: Database, position: int, limit: int, orgs: Sequence[UUID] = ()
) -> tuple[list[tuple[int, UUID, UUID]], int]:
    """The next (position, organization, event) at most `limit`, of these few organizations or of all; and how far that
    goes: nothing of what was asked for lies between the last of them and there."""
    if not orgs:
        rows = await db.fetch(READ_AFTER, position, limit)
        last = position
    else:
        # Asked first: positions are committed in their order, so everything up to here is seen below.
        last = max(position, await db.fetchval(READ_LAST))
        rows = await db.fetch(READ_OWN_AFTER, position, limit, orgs)
    entries = [(row["position"], row["organization_id"], row["event_id"]) for row in rows]
    upto = last if len(entries) < limit else position
    return entries, max(upto, entries[-1][0] if entries else position)


async def read_stretch(
    db: Database, position: int, limit: int, types: Sequence[str]
) -> tuple[int, list[tuple[int, UUID, UUID]]] | None:
    """Where the next so many positions end, and the (position, organization, event) in them that are of these types,
    or of a type that the ledger does not know; None where there are no more."""
    row = await db.fetchrow(READ_STRETCH, position, limit, types)
    if row is None or row["upto"] is None:
        return None
    return row["upto"], list(zip(row["positions"] or (), row["orgs"] or (), row["ids"] or (), strict=True))


async def move_cursor(tx: Transaction, name: str, before: int, after: int) -> bool:
    """Move a fold's cursor; False where it is not at `before`: another process was there, do nothing."""
    await tx.execute(MAKE_CURSOR, name)
    if await tx.fetchval(LOCK_CURSOR, name) != before:
        return False
    await tx.execute(MOVE_CURSOR, name, after)
    return True
