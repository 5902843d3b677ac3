"""Whose numbers an organization may see, and the numbers of several side by side."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.store.metrics import Question

KEEP: Final = """
INSERT INTO analytics_grants AS kept (organization_id, id, grantor_id, good, expires_at, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::boolean[], $5::timestamptz[], $6::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE
SET good = excluded.good, expires_at = excluded.expires_at, sequence = excluded.sequence
WHERE kept.sequence < excluded.sequence"""
READ: Final = """
SELECT DISTINCT ON (grantor_id) grantor_id, id FROM analytics_grants
WHERE organization_id = $1 AND good AND (expires_at IS NULL OR expires_at > now())
ORDER BY grantor_id, id DESC LIMIT $2"""
SIDE_BY_SIDE: Final = """
SELECT organization_id, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(count ORDER BY bucket) AS counts,
       sum(count)::bigint AS count, sum(sum_ms)::bigint AS sum_ms
FROM (SELECT organization_id, bucket, sum(count)::bigint AS count, sum(sum_ms)::bigint AS sum_ms FROM rollups
      WHERE organization_id = ANY($1) AND metric = $2 AND day >= $3 AND day < $4 AND count <> 0
      GROUP BY organization_id, bucket) AS cells
GROUP BY organization_id"""


async def keep(tx: Transaction, grants: Sequence[tuple[Any, ...]]) -> None:
    """Newer states: organization, grant, grantor, whether it is good, until when, sequence."""
    await tx.execute(KEEP, *(list(column) for column in zip(*grants, strict=True)))


async def grantors(tx: Transaction, org: UUID, limit: int) -> dict[UUID, UUID]:
    """Whose numbers an organization may see now: the grantor to the grant."""
    return {row["grantor_id"]: row["id"] for row in await tx.fetch(READ, org, limit)}


async def side_by_side(tx: Transaction, orgs: Sequence[UUID], question: Question) -> dict[UUID, Row]:
    """The sums of each of these organizations; none of one that has no numbers."""
    rows = await tx.fetch(SIDE_BY_SIDE, list(orgs), question.metric, question.day_from, question.day_to)
    return {row["organization_id"]: row for row in rows}
