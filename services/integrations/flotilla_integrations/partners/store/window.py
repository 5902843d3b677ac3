"""The window: an organization's events by position, from which they are delivered at first and again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Row, Transaction

from flotilla_integrations.partners.domain import WINDOW

ADD_WINDOWS: Final = """
INSERT INTO partner_windows (organization_id) SELECT org FROM unnest($1::uuid[]) AS org ORDER BY org
ON CONFLICT DO NOTHING"""
LOCK_WINDOWS: Final = """
SELECT w.organization_id FROM unnest($1::uuid[]) AS t (org) JOIN partner_windows w ON w.organization_id = t.org
ORDER BY w.organization_id FOR UPDATE OF w"""
# Whoever numbers holds the window, so that nobody else adds the same event meanwhile.
APPEND: Final = """
WITH new AS (
    SELECT t.org, t.id, t.type, t.time, t.body,
           w.last_position + row_number() OVER (PARTITION BY t.org ORDER BY t.place) AS position
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bytea[])
         WITH ORDINALITY AS t (org, id, type, time, body, place)
    JOIN partner_windows w ON w.organization_id = t.org
    WHERE NOT EXISTS (SELECT FROM partner_events e WHERE e.organization_id = t.org AND e.id = t.id)),
moved AS (
    UPDATE partner_windows w SET last_position = n.last FROM (
        SELECT org, max(position) AS last FROM new GROUP BY org) AS n WHERE w.organization_id = n.org)
INSERT INTO partner_events (organization_id, position, id, type, time, body)
SELECT org, position, id, type, time, body FROM new
RETURNING organization_id, id, position"""
PAGE: Final = """
SELECT position, id, type, body FROM partner_events
WHERE organization_id = $1 AND position > $2 AND position <= $3 AND type = ANY($4) ORDER BY position LIMIT $5"""
LAST: Final = "SELECT last_position FROM partner_windows WHERE organization_id = $1"
OLDEST: Final = """
SELECT position FROM partner_events WHERE organization_id = $1 ORDER BY position LIMIT 1"""
KEPT_SINCE: Final = """
SELECT position FROM partner_events WHERE organization_id = $1 AND kept_at >= $2
ORDER BY kept_at, position LIMIT 1"""
# What came before its day had a partition.
SWEEP: Final = "DELETE FROM partner_events WHERE organization_id = ANY($1) AND kept_on < $2"
KEEP_PARTITIONS: Final = "SELECT keep_partner_partitions()"


@dataclass(frozen=True, slots=True)
class Kept:
    """An event to be kept."""

    organization_id: UUID
    id: UUID
    type: str
    time: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Extent:
    """Which positions there are."""

    oldest: int
    last: int
    """0 and less than `oldest` where nothing was kept yet."""


async def append(tx: Transaction, events: Sequence[Kept]) -> dict[tuple[UUID, UUID], int]:
    """Number and keep these; (organization, id) → position of those that were not there before."""
    orgs = sorted({event.organization_id for event in events})
    await tx.execute(ADD_WINDOWS, orgs)
    await tx.fetch(LOCK_WINDOWS, orgs)
    rows = await tx.fetch(
        APPEND,
        [event.organization_id for event in events],
        [event.id for event in events],
        [event.type for event in events],
        [event.time for event in events],
        [event.body for event in events],
    )
    return {(row["organization_id"], row["id"]): row["position"] for row in rows}


async def extent(tx: Transaction, org: UUID) -> Extent:
    """The positions that can be read."""
    last = await tx.fetchval(LAST, org) or 0
    oldest = await tx.fetchval(OLDEST, org)
    return Extent(oldest if oldest is not None else last + 1, last)


async def kept_since(tx: Transaction, org: UUID, moment: datetime) -> int | None:
    """The first position that was kept at that moment or later; None where there is none."""
    found: int | None = await tx.fetchval(KEPT_SINCE, org, moment)
    return found


async def page(
    tx: Transaction, org: UUID, after: int, until: int, types: Sequence[str], limit: int
) -> list[Row]:
    """Events of these types, by position."""
    return await tx.fetch(PAGE, org, after, until, list(types), limit)


async def keep_partitions(db: Database) -> None:
    """Make the partitions of the next days, drop those past the window."""
    await db.execute(KEEP_PARTITIONS)


async def sweep(tx: Transaction, orgs: Sequence[UUID]) -> None:
    """Drop what is past the window in no partition of its own."""
    await tx.execute(SWEEP, list(orgs), datetime.now(UTC).date() - WINDOW)
