"""SQL of the archive: one statement a batch in, keyset pages out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order, both
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

COLUMNS: Final = (
    "organization_id, id, type, source, subject, time, sequence, region, correlation_id, causation_id,"
    " request_id, traceparent, actor, audience, data, person, sealed"
)

INSERT: Final = f"""
WITH fresh AS (
    INSERT INTO archive ({COLUMNS})
    SELECT organization_id, id, type, source, subject, time, sequence, region, correlation_id, causation_id,
           request_id, traceparent, actor, audience, convert_from(data, 'UTF8')::jsonb, person, sealed
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[],
                $8::text[], $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[], $14::text[],
                $15::bytea[], $16::text[], $17::bytea[]) AS event ({COLUMNS})
    ON CONFLICT (organization_id, id) DO NOTHING
    RETURNING id, organization_id, archive_hash(archive) AS hash, type)
INSERT INTO unsealed (event_id, organization_id, hash, event_type) SELECT id, organization_id, hash, type FROM fresh"""  # noqa: S608

KEEP_PARTITIONS: Final = "SELECT keep_archive_partitions()"

LIST: Final = f"SELECT {COLUMNS} FROM archive"  # noqa: S608
ORDERS: Final = both("time", Order(("time", "id"), (datetime, UUID)))
"""By `archive_time`, or as the index of a filter has it."""

READ_JOURNEY: Final = f"""
SELECT {COLUMNS} FROM archive WHERE organization_id = $1 AND correlation_id = $2
ORDER BY time, id LIMIT $3"""  # noqa: S608

READ_FOLDED: Final = f"""
SELECT position, {COLUMNS}
FROM unnest($1::bigint[], $2::uuid[], $3::uuid[]) AS entry (position, organization_id, id)
JOIN archive USING (organization_id, id)
WHERE type = ANY($4) ORDER BY position"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events of an organization; what is None does not matter."""

    type: str | None = None
    subject: str | None = None
    actor: str | None = None
    time_from: datetime | None = None
    """Inclusive."""
    time_to: datetime | None = None
    """Exclusive."""


async def insert(tx: Transaction, rows: Iterable[tuple[Any, ...]]) -> None:
    """Keep these events (in the order of `COLUMNS`), each once, whoever else is writing the same ones."""
    # By key, so that two processes with the same events wait for each other in one direction only.
    ordered = sorted(rows, key=lambda row: row[0].bytes + row[1].bytes)
    columns = zip(*ordered, strict=True)
    await tx.execute(INSERT, *(list(column) for column in columns))


async def read_journey(tx: Transaction, org: UUID, correlation_id: UUID, limit: int) -> list[Row]:
    """The events of one correlation id, by time."""
    return await tx.fetch(READ_JOURNEY, org, correlation_id, limit)


async def read_folded(
    tx: Transaction, entries: Sequence[tuple[int, UUID, UUID]], types: Sequence[str]
) -> list[Row]:
    """Of these (position, organization, event), the events of these types, by position."""
    if not entries:
        return []
    positions, orgs, ids = zip(*entries, strict=True)
    return await tx.fetch(READ_FOLDED, positions, orgs, ids, types)


async def read_page(
    tx: Transaction,
    org: UUID,
    wanted: Filter,
    after: Sequence[object] | None,
    limit: int,
    order: Order = ORDERS["-time"],
) -> list[Row]:
    """At most `limit` events in this order, those behind the one with the key `after`."""
    where = Where(org).equal({"type": wanted.type, "subject": wanted.subject, "actor": wanted.actor})
    if wanted.time_from is not None:
        where.also("time >= {}", wanted.time_from)
    if wanted.time_to is not None:
        where.also("time < {}", wanted.time_to)
    return await order.read(tx, LIST, where, after, limit)
