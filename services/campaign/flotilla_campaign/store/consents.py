"""By which rule organizations go; what people said about marketing is kept with `flotilla.consent.store`."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from flotilla.consent.rules import OwnRule
from flotilla.store.postgres import Row, Transaction

RULES_OF: Final = """
SELECT organization_id, region, strict, known, reason, sequence FROM consent_rules WHERE organization_id = ANY($1)"""
SET_RULE: Final = """
INSERT INTO consent_rules AS kept (organization_id, id, region, strict, known, reason) VALUES ($1, $1, $2, $3, $4, $5)
ON CONFLICT (organization_id, id) DO UPDATE SET region = excluded.region, strict = excluded.strict,
    known = excluded.known, reason = excluded.reason, sequence = kept.sequence + 1
RETURNING organization_id, region, strict, known, reason, sequence"""


async def rules(tx: Transaction, orgs: Iterable[UUID]) -> dict[UUID, OwnRule]:
    """What organizations have decided; nothing of those that have not."""
    return {row["organization_id"]: _rule(row) for row in await tx.fetch(RULES_OF, sorted(set(orgs)))}


async def set_rule(tx: Transaction, org: UUID, wanted: OwnRule) -> OwnRule:
    """Decide it."""
    row = await tx.fetchrow(SET_RULE, org, wanted.region, wanted.strict, wanted.known, wanted.reason)
    assert row is not None
    return _rule(row)


def _rule(row: Row) -> OwnRule:
    return OwnRule(row["region"], row["strict"], row["known"], row["reason"], row["sequence"])
