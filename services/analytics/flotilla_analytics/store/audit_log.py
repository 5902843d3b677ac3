# ruff: noqa: S608 - constants of this file are put together, nothing else
"""SQL of the audit log: pages of it, states before, and stretches of the chain for its export."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where

from flotilla_analytics.store.archive import COLUMNS, LIST, ORDERS

# As the index `archive_audited` has it, word for word, else the planner does not know it again.
AUDITED: Final = (
    "(actor ~ '^(user|api_key|oauth_client|operator):'"
    " OR type ~ '^(user|session|api_key|oauth_client|role)[.]')"
)
FAILED: Final = "type ~ '[.](failed|refused|blocked|rejected)[.]v[0-9]+$'"
"""Facts of what did not come about."""

# Of what a request changed only the names stand in the clear, among its `fields`.
FIELD: Final = """EXISTS (
    SELECT FROM (SELECT jsonb_object_keys(CASE WHEN jsonb_typeof(data -> 'changed') = 'object'
                                               THEN data -> 'changed' ELSE jsonb_build_object() END)
                 UNION ALL
                 SELECT jsonb_array_elements_text(CASE WHEN type = 'request.performed.v1'
                                                        AND jsonb_typeof(data -> 'fields') = 'array'
                                                       THEN data -> 'fields' ELSE jsonb_build_array() END)
                ) AS named (name)
    WHERE position(lower({}) IN lower(name)) > 0)"""

# By time, which the index has; of the last few by sequence, for two processes' clocks differ a little.
READ_BEFORE: Final = f"""
SELECT asked.id AS later, before.*
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::text[])
    AS asked (id, source, subject, sequence, time, types)
CROSS JOIN LATERAL (
    SELECT {COLUMNS} FROM (
        SELECT {COLUMNS} FROM archive
        WHERE archive.organization_id = $1 AND archive.subject = asked.subject
          AND archive.source = asked.source AND archive.type = ANY (string_to_array(asked.types, ' '))
          AND archive.time <= asked.time + interval '1 minute' AND archive.sequence < asked.sequence
        ORDER BY archive.time DESC, archive.id DESC LIMIT 20) AS last
    ORDER BY sequence DESC LIMIT 1) AS before"""

# Of requests that no other event tells of, what was sent for the same field of the same thing before.
READ_SENT: Final = """
SELECT DISTINCT ON (asked.id, sent.field) asked.id, sent.field, sent.value
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[]) AS asked (id, source, subject, sequence)
JOIN archive ON archive.organization_id = $1 AND archive.subject = asked.subject AND archive.source = asked.source
    AND archive.type = 'request.performed.v1' AND archive.sequence < asked.sequence
CROSS JOIN jsonb_each(archive.data -> 'values') AS sent (field, value)
ORDER BY asked.id, sent.field, archive.sequence DESC"""

READ_SPAN: Final = """
SELECT min(ledger.position) AS first, max(ledger.position) AS last
FROM archive JOIN ledger ON ledger.event_id = archive.id AND ledger.organization_id = archive.organization_id
WHERE {where}"""

READ_BLOCKS: Final = """
SELECT position_from, position_to, previous_hash, content, hash FROM blocks
WHERE position_to >= $1 AND position_from <= $2 ORDER BY position_to LIMIT 1"""

READ_ENTRIES: Final = """
SELECT event_id, organization_id, hash FROM ledger WHERE position BETWEEN $1 AND $2 ORDER BY position"""

READ_OWN: Final = """
SELECT ledger.position, archive_text(archive) AS text, {columns}
FROM ledger JOIN archive ON archive.organization_id = ledger.organization_id AND archive.id = ledger.event_id
WHERE {where} ORDER BY ledger.position"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which acts; what is None does not matter."""

    actor: str | None = None
    action: str | None = None
    """A type (`deal.updated.v1`), or what it begins with (`deal`, `deal.updated`)."""
    subject: str | None = None
    failed: bool | None = None
    field: str | None = None
    """Part of the name of a changed field."""
    time_from: datetime | None = None
    """Inclusive."""
    time_to: datetime | None = None
    """Exclusive."""

    def said(self) -> dict[str, str]:
        """What was asked for, in words."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}

    def where(self, org: UUID) -> Where:
        """As a condition on `archive`; of one actor everything, else what people, programs and operators did, and
        what bears on security whoever did it."""
        where = Where(org, table="archive").equal({"actor": self.actor, "subject": self.subject})
        if self.actor is None:
            where.also(AUDITED)
        if self.action is not None:
            where.also("(type = {} OR starts_with(type, {}))", self.action, f"{self.action}.")
        if self.failed is not None:
            where.also(FAILED if self.failed else f"NOT ({FAILED})")
        if self.field is not None:
            where.also(FIELD, self.field)
        if self.time_from is not None:
            where.also("time >= {}", self.time_from)
        if self.time_to is not None:
            where.also("time < {}", self.time_to)
        return where


async def read_page(
    tx: Transaction,
    org: UUID,
    wanted: Wanted,
    after: Sequence[object] | None,
    limit: int,
    order: Order = ORDERS["-time"],
) -> list[Row]:
    """At most `limit` in this order, those behind the one with the key `after`."""
    return await order.read(tx, LIST, wanted.where(org), after, limit)


async def read_before(
    tx: Transaction, org: UUID, events: Sequence[tuple[Row, Sequence[str]]]
) -> dict[UUID, Row]:
    """The state before each of these events, by the event's id; each with the types that hold such states."""
    if not events:
        return {}
    columns = [[row[name] for row, _ in events] for name in ("id", "source", "subject", "sequence", "time")]
    rows = await tx.fetch(READ_BEFORE, org, *columns, [" ".join(types) for _, types in events])
    return {row["later"]: row for row in rows}


async def read_sent(tx: Transaction, org: UUID, events: Sequence[Row]) -> dict[tuple[UUID, str], Any]:
    """What was sent last before each of these requests, by its event's id and the field."""
    if not events:
        return {}
    columns = [[row[name] for row in events] for name in ("id", "source", "subject", "sequence")]
    rows = await tx.fetch(READ_SENT, org, *columns)
    return {(row["id"], row["field"]): row["value"] for row in rows}


async def read_span(tx: Transaction, org: UUID, wanted: Wanted) -> tuple[int, int] | None:
    """The first and the last position of these acts; None where there are none."""
    where = wanted.where(org)
    row = await tx.fetchrow(READ_SPAN.format(where=where), *where.arguments)
    return None if row is None or row["first"] is None else (row["first"], row["last"])


async def read_block(db: Database, first: int, last: int) -> Row | None:
    """The next block with positions from `first` to `last`."""
    return await db.fetchrow(READ_BLOCKS, first, last)


async def read_entries(db: Database, block: Row) -> list[Row]:
    """All that a block holds, whosever it is, by position: ids and hashes."""
    return await db.fetch(READ_ENTRIES, block["position_from"], block["position_to"])


async def read_own(tx: Transaction, org: UUID, wanted: Wanted, block: Row) -> list[Row]:
    """Of a block, the acts that are wanted, each with its position and the text that its hash is of."""
    where = wanted.where(org)
    where.also("ledger.position BETWEEN {} AND {}", block["position_from"], block["position_to"])
    columns = ", ".join(f"archive.{name.strip()}" for name in COLUMNS.split(","))
    return await tx.fetch(READ_OWN.format(columns=columns, where=where), *where.arguments)
