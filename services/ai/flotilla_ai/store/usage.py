"""Usage that has not been told of yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

INSERT: Final = """
INSERT INTO unreported_usage (organization_id, id, provider, model, requests, input_tokens, output_tokens)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[])"""

TAKE: Final = """
WITH taken AS (DELETE FROM unreported_usage WHERE organization_id = $1 RETURNING *)
SELECT provider, model, sum(requests)::int AS requests, sum(input_tokens)::bigint AS input_tokens,
       sum(output_tokens)::bigint AS output_tokens, min(used_at) AS started_at, max(used_at) AS ended_at
FROM taken GROUP BY provider, model ORDER BY provider, model"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one organization used of one provider."""

    org: UUID
    provider: str
    model: str
    requests: int
    input_tokens: int = 0
    output_tokens: int = 0


async def add(tx: Transaction, used: Sequence[Usage]) -> None:
    """Write it down."""
    await tx.execute(
        INSERT,
        [each.org for each in used],
        [tx.app.new_id() for _ in used],
        [each.provider for each in used],
        [each.model for each in used],
        [each.requests for each in used],
        [each.input_tokens for each in used],
        [each.output_tokens for each in used],
    )


async def take(tx: Transaction, org: UUID) -> list[Row]:
    """All of an organization, summed by provider and model, and gone."""
    return await tx.fetch(TAKE, org)
