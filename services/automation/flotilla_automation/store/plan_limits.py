"""What organizations' plans allow of rules."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.billing import EntitlementChanged
from flotilla.store.postgres import Transaction

RULES: Final = "rules"
"""Rules that are enabled."""
RULE_RUNS: Final = "rule_runs"
"""Runs that begin in a day."""

KEEP: Final = """
INSERT INTO plan_limits (organization_id, feature, allowed, sequence)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[])
ON CONFLICT (organization_id, feature) DO UPDATE SET allowed = excluded.allowed, sequence = excluded.sequence
WHERE plan_limits.sequence < excluded.sequence"""
OF: Final = """
SELECT organization_id, allowed FROM plan_limits
WHERE organization_id = ANY($1) AND feature = $2 AND allowed IS NOT NULL"""


async def keep(tx: Transaction, batch: Sequence[Received[EntitlementChanged]]) -> None:
    """Know them as they were told last; what is not to be had is none at all."""
    told = [event for event in batch if event.data.feature in (RULES, RULE_RUNS)]
    allowed = [event.data.limit if event.data.enabled else 0 for event in told]
    features = [event.data.feature for event in told]
    await tx.execute(
        KEEP, [event.org for event in told], features, allowed, [event.sequence for event in told]
    )


async def of(tx: Transaction, orgs: Iterable[UUID], feature: str) -> dict[UUID, int]:
    """How many these organizations may have; without those who may have as many as they like."""
    return {row["organization_id"]: row["allowed"] for row in await tx.fetch(OF, sorted(orgs), feature)}
