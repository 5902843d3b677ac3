"""Which organizations have used up the AI that their plan allows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

KEEP: Final = """
INSERT INTO budgets AS kept (organization_id, feature, sequence, used_up, period_ends_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[], $5::timestamptz[])
     AS t (org, feature, sequence, used_up, ends_at)
ORDER BY org, feature
ON CONFLICT (organization_id, feature) DO UPDATE
SET sequence = excluded.sequence, used_up = excluded.used_up, period_ends_at = excluded.period_ends_at
WHERE kept.sequence < excluded.sequence"""

USED_UP: Final = """
SELECT organization_id, max(period_ends_at) AS until FROM budgets
WHERE organization_id = ANY($1) AND used_up GROUP BY organization_id"""


async def keep(tx: Transaction, rows: Sequence[tuple[UUID, str, int, bool, datetime]]) -> None:
    """Newer words of billing: organization, feature, sequence, whether it is used up, until when."""
    await tx.execute(KEEP, *(list(column) for column in zip(*rows, strict=True)))


async def used_up(tx: Transaction, orgs: Iterable[UUID]) -> dict[UUID, datetime]:
    """Until when, of those that have nothing left."""
    return {row["organization_id"]: row["until"] for row in await tx.fetch(USED_UP, list(orgs))}
