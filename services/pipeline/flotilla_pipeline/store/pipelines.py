"""Pipelines and stages."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_pipeline.domain.stages import Pipeline, Stage

STAGE_COLUMNS: Final = (
    "id, sequence, pipeline_id, name, kind, position, probability, required_fields, rots_after_days, archived"
)

INSERT_PIPELINES: Final = """
INSERT INTO pipelines (organization_id, id, name, is_default)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[])"""

INSERT_STAGES: Final = """
INSERT INTO stages (organization_id, id, pipeline_id, name, kind, position, probability, required_fields,
                    rots_after_days)
SELECT org, id, pipeline, name, kind, position, probability, string_to_array(required, ','), rots
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::int[], $8::text[], $9::int[])
     AS t (org, id, pipeline, name, kind, position, probability, required, rots)"""

UPDATE_STAGES: Final = f"""
UPDATE stages s SET sequence = s.sequence + 1, name = t.name, kind = t.kind, position = t.position,
    probability = t.probability, required_fields = string_to_array(t.required, ','), archived = t.archived,
    rots_after_days = t.rots
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[], $7::text[], $8::boolean[], $9::int[])
     AS t (stage, name, kind, position, probability, required, archived, rots)
WHERE s.organization_id = $1 AND s.id = t.stage
RETURNING {", ".join(f"s.{column}" for column in STAGE_COLUMNS.split(", "))}"""  # noqa: S608

WITH_DEFAULT: Final = "SELECT organization_id FROM pipelines WHERE organization_id = ANY($1) AND is_default"

DEFAULT_STAGES: Final = """
SELECT DISTINCT ON (p.organization_id) p.organization_id, s.pipeline_id, s.id, s.probability,
       (SELECT min(d.rank) FROM deals d WHERE d.organization_id = s.organization_id AND d.stage_id = s.id) AS top
FROM pipelines p
JOIN stages s ON s.organization_id = p.organization_id AND s.pipeline_id = p.id AND s.kind = 'open' AND NOT s.archived
WHERE p.organization_id = ANY($1) AND p.is_default ORDER BY p.organization_id, s.position"""

LIST: Final = "SELECT id, sequence, name, is_default FROM pipelines"

READ: Final = "SELECT id, sequence, name, is_default FROM pipelines WHERE organization_id = $1 AND id = $2"

UPDATE: Final = """
UPDATE pipelines SET sequence = sequence + 1, name = $3, is_default = $4 WHERE organization_id = $1 AND id = $2
RETURNING id, sequence, name, is_default"""

DEFAULT: Final = """
SELECT id, sequence, name, is_default FROM pipelines WHERE organization_id = $1 AND is_default FOR UPDATE"""

STAGES: Final = f"""
SELECT {STAGE_COLUMNS} FROM stages WHERE organization_id = $1 AND pipeline_id = $2 ORDER BY position"""  # noqa: S608

# Held against archiving, not against other deals that come here.
STAGE_FOR_DEAL: Final = f"""
SELECT {STAGE_COLUMNS} FROM stages WHERE organization_id = $1 AND id = $2 FOR KEY SHARE"""  # noqa: S608

HAS_DEALS: Final = """
SELECT EXISTS (SELECT FROM deals WHERE organization_id = $1 AND stage_id = $2 AND state IN ('open', 'won'))"""


async def add_pipelines(
    tx: Transaction, pipelines: Sequence[tuple[UUID, Pipeline]], stages: Sequence[tuple[UUID, Stage]]
) -> None:
    """Write new pipelines and their stages: (organization, each)."""
    await tx.execute(
        INSERT_PIPELINES,
        [org for org, _ in pipelines],
        [each.id for _, each in pipelines],
        [each.name for _, each in pipelines],
        [each.is_default for _, each in pipelines],
    )
    if stages:
        await add_stages(tx, stages)


async def add_stages(tx: Transaction, stages: Sequence[tuple[UUID, Stage]]) -> None:
    """Write new stages: (organization, stage)."""
    await tx.execute(
        INSERT_STAGES,
        [org for org, _ in stages],
        [each.id for _, each in stages],
        [each.pipeline_id for _, each in stages],
        [each.name for _, each in stages],
        [each.kind for _, each in stages],
        [each.position for _, each in stages],
        [each.probability for _, each in stages],
        [",".join(each.required_fields) for _, each in stages],
        [each.rots_after_days for _, each in stages],
    )


async def save_stages(tx: Transaction, org: UUID, stages: Sequence[Stage]) -> dict[UUID, Stage]:
    """Write changed stages: each has the next sequence."""
    rows = await tx.fetch(
        UPDATE_STAGES,
        org,
        [each.id for each in stages],
        [each.name for each in stages],
        [each.kind for each in stages],
        [each.position for each in stages],
        [each.probability for each in stages],
        [",".join(each.required_fields) for each in stages],
        [each.archived for each in stages],
        [each.rots_after_days for each in stages],
    )
    return {row["id"]: _stage(row) for row in rows}


async def with_default(tx: Transaction, orgs: Sequence[UUID]) -> set[UUID]:
    """Which of the organizations have a default pipeline."""
    return {row["organization_id"] for row in await tx.fetch(WITH_DEFAULT, list(orgs))}


async def where_leads_go(tx: Transaction, orgs: Sequence[UUID]) -> dict[UUID, Row]:
    """The first open stage of each organization's default pipeline, and the topmost rank in it."""
    return {row["organization_id"]: row for row in await tx.fetch(DEFAULT_STAGES, list(orgs))}


async def list_pipelines(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Pipeline]:
    """`limit` of them in this order, after the one with the key `after`."""
    return [Pipeline(**dict(row)) for row in await order.read(tx, LIST, Where(org), after, limit)]


async def read_pipeline(
    tx: Transaction, org: UUID, pipeline_id: UUID, *, lock: bool = False
) -> Pipeline | None:
    """The pipeline, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, pipeline_id)
    return None if row is None else Pipeline(**dict(row))


async def default_pipeline(tx: Transaction, org: UUID) -> Pipeline | None:
    """The one that leads come into, held until the commit."""
    row = await tx.fetchrow(DEFAULT, org)
    return None if row is None else Pipeline(**dict(row))


async def save_pipeline(tx: Transaction, org: UUID, pipeline: Pipeline) -> Pipeline:
    """Write a changed pipeline: the result has the next sequence."""
    row = await tx.fetchrow(UPDATE, org, pipeline.id, pipeline.name, pipeline.is_default)
    assert row is not None
    return Pipeline(**dict(row))


async def stages_of(tx: Transaction, org: UUID, pipeline_id: UUID, *, lock: bool = False) -> list[Stage]:
    """The stages in order; with `lock`, no deal comes into them and no other changes them until the commit."""
    return [_stage(row) for row in await tx.fetch(STAGES + " FOR UPDATE" * lock, org, pipeline_id)]


async def stage_for_deal(tx: Transaction, org: UUID, stage_id: UUID) -> Stage | None:
    """A stage that a deal shall come into: it is not archived before the commit."""
    row = await tx.fetchrow(STAGE_FOR_DEAL, org, stage_id)
    return None if row is None else _stage(row)


async def has_deals(tx: Transaction, org: UUID, stage_id: UUID) -> bool:
    """Whether deals that are not over stand in it."""
    return bool(await tx.fetchval(HAS_DEALS, org, stage_id))


def _stage(row: Row) -> Stage:
    return Stage(**dict(row))
