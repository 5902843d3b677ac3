"""Pipelines that are taken back."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

Key = tuple[UUID, UUID]
"""(organization, pipeline)."""

# No deal comes into a stage that is held so.
HOLD_STAGES: Final = """
SELECT s.id FROM stages s
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, pipeline) ON s.organization_id = t.org AND s.pipeline_id = t.pipeline
ORDER BY s.organization_id, s.id FOR UPDATE OF s"""

IN_USE: Final = """
SELECT org, pipeline FROM unnest($1::uuid[], $2::uuid[]) AS t (org, pipeline)
WHERE EXISTS (SELECT FROM deals d WHERE d.organization_id = t.org AND d.pipeline_id = t.pipeline)"""

REMOVE_STAGES: Final = """
DELETE FROM stages s USING unnest($1::uuid[], $2::uuid[]) AS t (org, pipeline)
WHERE s.organization_id = t.org AND s.pipeline_id = t.pipeline"""

REMOVE: Final = """
DELETE FROM pipelines p USING unnest($1::uuid[], $2::uuid[]) AS t (org, pipeline)
WHERE p.organization_id = t.org AND p.id = t.pipeline RETURNING p.organization_id, p.id, p.sequence"""


async def remove(tx: Transaction, pipelines: Sequence[Key]) -> dict[Key, int | None]:
    """Remove those without deals, with their stages: the sequence of each one's end; None where deals are in it.

    One that is not there was never made, or had been removed: it ends with its first sequence.
    """
    orgs, ids = [org for org, _ in pipelines], [id_ for _, id_ in pipelines]
    await tx.fetch(HOLD_STAGES, orgs, ids)
    kept = {(row["org"], row["pipeline"]) for row in await tx.fetch(IN_USE, orgs, ids)}
    ends: dict[Key, int | None] = {key: None if key in kept else 1 for key in pipelines}
    going = [key for key in ends if key not in kept]
    orgs, ids = [org for org, _ in going], [id_ for _, id_ in going]
    await tx.execute(REMOVE_STAGES, orgs, ids)
    for row in await tx.fetch(REMOVE, orgs, ids):
        ends[row["organization_id"], row["id"]] = row["sequence"] + 1
    return ends
