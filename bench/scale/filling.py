"""An archive written in bulk: rows, hashes, positions and blocks as the archive's own writer and sealer leave them.

Rows and their hashes come from `archive_hash` in Postgres, blocks from `flotilla_analytics.domain.chain`, so that the
whole verifies. Nothing in them is personal; what is measured afterwards writes and reads events that are.
"""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg
from flotilla_analytics.domain import chain
from flotilla_analytics.domain.chain import Entry
from flotilla_analytics.workers.sealer import BLOCK

STRETCH: Final = 100_000
"""Events written by one statement."""
WRITERS: Final = 3
BARE: Final = 1_000_000
"""From so many more events on, indexes go first and are made again behind them."""
SETTINGS: Final = {
    "search_path": "analytics, analytics_bus, extensions, public",
    "maintenance_work_mem": "1GB",
    "synchronous_commit": "off",
}
# Over the month before `now`: ids of version 7 of their time, which are in the order of $1 but for a millisecond's.
FILL: Final = """
WITH made AS (
    SELECT n, md5(n::text) AS digits, ($2::uuid[])[1 + n % cardinality($2::uuid[])] AS org,
           now() - interval '30 days' * (1 - (n + 1)::float8 / $3::float8) AS time
    FROM generate_series($1::bigint, $1::bigint + $4::bigint - 1) AS n
), kept AS (
    INSERT INTO archive (organization_id, id, type, source, subject, time, sequence, region, correlation_id, actor,
                         audience, data)
    SELECT org, id, (ARRAY['message.received.v1', 'message.analyzed.v1', 'contact.updated.v1', 'deal.updated.v1',
                           'task.created.v1', 'ai.draft.generated.v1', 'channel.message.received.v1',
                           'message.sent.v1'])[1 + n % 8],
           '/flotilla/messaging', md5((n / 8)::text)::uuid::text, time, 1, 'eu', md5((n / 8)::text)::uuid,
           'user:' || md5((n % 997)::text)::uuid, 'org',
           jsonb_build_object('message_id', id, 'conversation_id', md5((n / 20)::text)::uuid, 'position', n % 20,
                              'channel', 'telegram', 'language', 'en', 'intent', 'delivery', 'ai_enabled', true)
    FROM made, LATERAL (SELECT (lpad(to_hex((extract(epoch FROM time) * 1000)::bigint), 12, '0') || '7'
                                || substr(digits, 1, 3) || '8' || substr(digits, 4, 15))::uuid) AS i (id)
    RETURNING organization_id, id, type, archive_hash(archive) AS hash
)
INSERT INTO ledger (position, event_id, organization_id, hash, event_type)
SELECT $1::bigint + row_number() OVER (), id, organization_id, hash, type FROM kept"""
ENTRIES: Final = """
SELECT event_id, organization_id, hash FROM ledger WHERE position > $1 AND position <= $2 ORDER BY position"""
CURSORS: Final = """
INSERT INTO cursors (name, position) SELECT name, $1::bigint FROM unnest(ARRAY['metrics', 'sales', 'search']) AS name
ON CONFLICT (name) DO UPDATE SET position = excluded.position"""
CONSTRAINTS: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS gone,
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS made
FROM pg_constraint WHERE conrelid = ANY (ARRAY['archive', 'ledger']::regclass[]) AND contype IN ('p', 'u')"""
INDEXES: Final = """
SELECT format('DROP INDEX %s', i.indexrelid::regclass) AS gone,
       replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') AS made
FROM pg_index AS i
WHERE i.indrelid = ANY (ARRAY['archive', 'ledger']::regclass[])
  AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)"""


async def fill(dsn: str, orgs: Sequence[UUID], head: int, size: int) -> None:
    """From `head` positions to `size`, all of them sealed and folded."""
    async with asyncpg.create_pool(
        dsn, min_size=WRITERS, max_size=WRITERS, server_settings=SETTINGS, command_timeout=3600
    ) as pool:
        again = await _bare(pool) if size - head >= BARE else []
        writing = asyncio.Semaphore(WRITERS)

        async def write(start: int) -> None:
            async with writing:
                await pool.execute(FILL, start, list(orgs), size, min(STRETCH, size - start))

        await asyncio.gather(*(write(start) for start in range(head, size, STRETCH)))
        await asyncio.gather(*(pool.execute(made) for made in again))
        await _chain(pool, head, size)
        await pool.execute(CURSORS, size)


async def _bare(pool: asyncpg.Pool) -> list[str]:
    """Take indexes and keys away: how to make them again."""
    rows = [*await pool.fetch(INDEXES), *await pool.fetch(CONSTRAINTS)]
    for row in rows:
        await pool.execute(row["gone"])
    return [row["made"] for row in rows]


async def _chain(pool: asyncpg.Pool, head: int, size: int) -> None:
    """Blocks as the sealer makes them, behind the last one there is."""
    previous = (
        await pool.fetchval("SELECT hash FROM blocks ORDER BY position_to DESC LIMIT 1") or chain.FIRST_HASH
    )
    for start in range(head, size, STRETCH):
        rows = await pool.fetch(ENTRIES, start, min(start + STRETCH, size))
        blocks = []
        for place in range(0, len(rows), BLOCK):
            block = chain.seal(
                previous, start + place + 1, [Entry(*row) for row in rows[place : place + BLOCK]]
            )
            blocks.append((block.position_from, block.position_to, previous, block.content, block.hash))
            previous = block.hash
        columns = ("position_from", "position_to", "previous_hash", "content", "hash")
        await pool.copy_records_to_table("blocks", records=blocks, columns=columns)
