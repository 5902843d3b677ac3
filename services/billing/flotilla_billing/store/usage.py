"""What was used, counted once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

RECORD: Final = """
INSERT INTO usage_records (organization_id, id, feature, amount, used_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[])
     AS t (org, id, feature, amount, at)
ORDER BY org, id, feature
ON CONFLICT (organization_id, id, feature) DO NOTHING RETURNING organization_id, id, feature, amount, used_at"""

ADD_TO_PERIODS: Final = """
INSERT INTO usage_periods (organization_id, feature, period_started_at, used)
SELECT org, feature, period, sum(amount)
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[]) AS t (org, feature, period, amount)
GROUP BY org, feature, period ORDER BY org, feature, period
ON CONFLICT (organization_id, feature, period_started_at) DO UPDATE
SET used = usage_periods.used + excluded.used"""

# What was held before stands beside what is held now: the difference is what counts.
HOLD: Final = """
WITH told AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::boolean[], $5::bigint[])
         AS t (org, feature, id, held, sequence)
), before AS (
    SELECT h.organization_id, h.feature, h.id, h.held FROM holdings h
    JOIN told ON h.organization_id = told.org AND h.feature = told.feature AND h.id = told.id
), written AS (
    INSERT INTO holdings (organization_id, feature, id, held, sequence)
    SELECT org, feature, id, held, sequence FROM told ORDER BY org, feature, id
    ON CONFLICT (organization_id, feature, id) DO UPDATE SET held = excluded.held, sequence = excluded.sequence
    WHERE holdings.sequence < excluded.sequence
    RETURNING organization_id, feature, id, held
)
SELECT w.organization_id, w.feature, w.held::int - coalesce(b.held, false)::int AS difference
FROM written w LEFT JOIN before b USING (organization_id, feature, id)
WHERE w.held <> coalesce(b.held, false)"""

PERIODS: Final = """
SELECT feature, period_started_at, used FROM usage_periods
WHERE organization_id = $1 AND period_started_at >= $2 ORDER BY period_started_at DESC, feature"""


@dataclass(frozen=True, slots=True)
class Use:
    """So much of a feature, at a moment, under the id it was told under."""

    organization_id: UUID
    id: UUID
    feature: str
    amount: int
    used_at: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """Something that counts while it is there."""

    organization_id: UUID
    feature: str
    id: UUID
    held: bool
    sequence: int


async def record(tx: Transaction, uses: Sequence[Use]) -> list[Use]:
    """Write uses down: those that were not known."""
    rows = await tx.fetch(
        RECORD,
        [use.organization_id for use in uses],
        [use.id for use in uses],
        [use.feature for use in uses],
        [use.amount for use in uses],
        [use.used_at for use in uses],
    )
    return [Use(**row) for row in rows]


async def add_to_periods(tx: Transaction, uses: Sequence[Use], periods: Sequence[datetime]) -> None:
    """Add each use to its period."""
    await tx.execute(
        ADD_TO_PERIODS,
        [use.organization_id for use in uses],
        [use.feature for use in uses],
        list(periods),
        [use.amount for use in uses],
    )


async def hold(tx: Transaction, holdings: Sequence[Holding]) -> list[Row]:
    """Keep what is newer: (organization_id, feature, difference) of what came to count or no longer does."""
    return await tx.fetch(
        HOLD,
        [each.organization_id for each in holdings],
        [each.feature for each in holdings],
        [each.id for each in holdings],
        [each.held for each in holdings],
        [each.sequence for each in holdings],
    )


async def periods(tx: Transaction, org: UUID, since: datetime) -> list[Row]:
    """What was used in each period since, the latest first."""
    return await tx.fetch(PERIODS, org, since)
