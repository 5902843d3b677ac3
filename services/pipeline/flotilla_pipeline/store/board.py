"""The board, and what is expected to come in."""

from datetime import date
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_pipeline.domain.deals import Deal
from flotilla_pipeline.store.deals import COLUMNS, deal_of

COLUMN: Final = f"""
SELECT {COLUMNS} FROM deals
WHERE organization_id = $1 AND stage_id = $2 AND (rank, id) > ($3 COLLATE "C", $4) ORDER BY rank, id LIMIT $5"""  # noqa: S608

TOP: Final = f"""
SELECT {COLUMNS} FROM deals
WHERE organization_id = $1 AND id IN (
    SELECT top.id FROM stages s CROSS JOIN LATERAL (
        SELECT d.id FROM deals d WHERE d.organization_id = s.organization_id AND d.stage_id = s.id
        ORDER BY d.rank, d.id LIMIT $3) AS top
    WHERE s.organization_id = $1 AND s.pipeline_id = $2)
ORDER BY stage_id, rank, id"""  # noqa: S608

SUMS: Final = """
SELECT stage_id, currency, count(*) AS deals, coalesce(sum(value_minor), 0)::bigint AS total
FROM deals WHERE organization_id = $1 AND pipeline_id = $2 GROUP BY stage_id, currency ORDER BY stage_id, currency"""

# Half a unit is rounded away from zero, once for each stage and currency.
FORECAST: Final = """
SELECT d.stage_id, d.currency, count(*) AS deals, coalesce(sum(d.value_minor), 0)::bigint AS total,
       coalesce(round(sum(d.value_minor * coalesce(d.own_probability, s.probability)) / 100.0), 0)::bigint AS weighted
FROM deals d JOIN stages s ON s.organization_id = d.organization_id AND s.id = d.stage_id
WHERE d.organization_id = $1 AND d.pipeline_id = $2 AND d.state = 'open'
  AND ($3::uuid IS NULL OR d.owner_id = $3) AND ($4::date IS NULL OR d.expected_close_on <= $4)
GROUP BY d.stage_id, d.currency ORDER BY d.stage_id, d.currency"""


async def column(
    tx: Transaction, org: UUID, stage_id: UUID, after: tuple[str, UUID], limit: int
) -> list[Deal]:
    """The deals of a stage in their order, after a (rank, id)."""
    return [deal_of(row) for row in await tx.fetch(COLUMN, org, stage_id, *after, limit)]


async def top(tx: Transaction, org: UUID, pipeline_id: UUID, limit: int) -> list[Deal]:
    """The topmost deals of every stage."""
    return [deal_of(row) for row in await tx.fetch(TOP, org, pipeline_id, limit)]


async def sums(tx: Transaction, org: UUID, pipeline_id: UUID) -> list[Row]:
    """How many deals each stage has and what they come to, by currency."""
    return await tx.fetch(SUMS, org, pipeline_id)


async def forecast(
    tx: Transaction, org: UUID, pipeline_id: UUID, owner_id: UUID | None, until: date | None
) -> list[Row]:
    """What the open deals of each stage come to, and weighted by how likely each is, by currency."""
    return await tx.fetch(FORECAST, org, pipeline_id, owner_id, until)
