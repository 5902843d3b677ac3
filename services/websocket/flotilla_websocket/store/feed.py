"""The feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flotilla.ids import time_of
from flotilla.store.postgres import Database, Row, Transaction

from flotilla_websocket.domain.entry import Entry

KEPT: Final = timedelta(hours=24)
OVERLAP: Final = timedelta(seconds=30)
"""A resume goes back this much further than the event it starts from: transactions do not end in the order of
their arrival, and replicas do not push in the order of either."""

WRITE: Final = """
INSERT INTO feed (organization_id, id, type, audience, event)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (organization_id, id) DO NOTHING RETURNING id"""

SINCE: Final = """
SELECT organization_id, id, type, audience, event FROM feed
WHERE organization_id = $1
  AND arrived_at >= coalesce((SELECT arrived_at FROM feed WHERE organization_id = $1 AND id = $2), $3) - $4::interval
ORDER BY arrived_at, id LIMIT $5"""

# Every transaction below the horizon had ended before, so what it wrote is seen by any statement from now on.
HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS transaction_id, now() AS at"

ARRIVED: Final = """
SELECT id FROM feed
WHERE organization_id = ANY($1) AND arrived_at > $2::timestamptz - interval '1 minute' AND transaction_id >= $3"""

READ: Final = """
SELECT organization_id, id, type, audience, event FROM feed
WHERE organization_id = ANY($1) AND id = ANY($2) ORDER BY arrived_at, id"""

KEEP_PARTITIONS: Final = "SELECT keep_feed_partitions()"


@dataclass(frozen=True)
class Horizon:
    """A moment in the feed: whatever was written by a transaction before it has been seen."""

    transaction_id: int
    at: datetime


async def write(tx: Transaction, entries: Sequence[Entry]) -> list[Entry]:
    """Write what is not in the feed yet: those entries."""
    ordered = sorted(entries, key=lambda entry: (entry.org, entry.id))
    rows = await tx.fetch(
        WRITE,
        [entry.org for entry in ordered],
        [entry.id for entry in ordered],
        [entry.type for entry in ordered],
        [entry.audience for entry in ordered],
        [entry.event for entry in ordered],
    )
    new = {row["id"] for row in rows}
    return [entry for entry in entries if entry.id in new]


async def since(db: Database, org: UUID, event_id: UUID, limit: int) -> list[Entry]:
    """What came since that event, and `OVERLAP` before; in the order of arrival, at most `limit`.

    An id that the feed does not have counts as the moment at which it was made.
    """
    async with db.transaction(org) as tx:
        return [
            _entry(row) for row in await tx.fetch(SINCE, org, event_id, time_of(event_id), OVERLAP, limit)
        ]


async def horizon(db: Database) -> Horizon:
    """Now."""
    row = await db.fetchrow(HORIZON)
    assert row is not None
    return Horizon(row["transaction_id"], row["at"])


async def arrived(db: Database, orgs: Sequence[UUID], after: Horizon) -> list[UUID]:
    """The ids of what may not have been seen at `after`, for these organizations."""
    async with db.transaction(orgs) as tx:
        return [row["id"] for row in await tx.fetch(ARRIVED, orgs, after.at, after.transaction_id)]


async def read(db: Database, orgs: Sequence[UUID], ids: Sequence[UUID]) -> list[Entry]:
    """These entries, in the order of arrival."""
    async with db.transaction(orgs) as tx:
        return [_entry(row) for row in await tx.fetch(READ, orgs, ids)]


async def keep_partitions(db: Database) -> None:
    """Make the partitions of the next hours and drop those past `KEPT`."""
    await db.execute(KEEP_PARTITIONS)


def _entry(row: Row) -> Entry:
    return Entry(row["id"], row["organization_id"], row["type"], row["audience"], row["event"])
