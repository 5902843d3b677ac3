"""How long an organization keeps what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Row, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What an organization has decided itself."""

    organization_id: UUID
    sequence: int
    periods: dict[str, int | None]
    held: list[str]
    reason: str | None


# Where nothing was decided there may be no row: then it is made.
LOCK: Final = """
INSERT INTO retention (organization_id, id) VALUES ($1, $1)
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = retention.sequence
RETURNING organization_id, sequence, periods, held, reason"""
READ: Final = (
    "SELECT organization_id, sequence, periods, held, reason FROM retention WHERE organization_id = $1"
)
UPDATE: Final = """
UPDATE retention SET periods = $2, held = $3, reason = $4, sequence = sequence + 1
WHERE organization_id = $1 RETURNING organization_id, sequence, periods, held, reason"""
# Of whom auth itself, which is told like all others, does not know yet how long they keep what.
UNTOLD: Final = """
SELECT DISTINCT s.organization_id FROM slugs s
WHERE s.organization_id > $1
  AND NOT EXISTS (SELECT FROM retained r WHERE r.organization_id = s.organization_id)
  AND NOT EXISTS (SELECT FROM forgotten f WHERE f.organization_id = s.organization_id AND f.id = s.organization_id)
ORDER BY 1 LIMIT $2"""
MAKE: Final = """
INSERT INTO retention (organization_id, id) SELECT id, id FROM unnest($1::uuid[]) AS id
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = retention.sequence
RETURNING organization_id, sequence, periods, held, reason"""


async def read(tx: Transaction, org: UUID) -> Retention:
    """What it has decided, which may be nothing: as the row that would be made."""
    row = await tx.fetchrow(READ, org)
    if row is None:
        return Retention(organization_id=org, sequence=1, periods={}, held=[], reason=None)
    return _read(row)


async def lock(tx: Transaction, org: UUID) -> Retention:
    """The same, held against other changes."""
    row = await tx.fetchrow(LOCK, org)
    assert row is not None
    return _read(row)


async def update(tx: Transaction, wanted: Retention) -> Retention:
    """Write it; the new state."""
    row = await tx.fetchrow(UPDATE, wanted.organization_id, wanted.periods, wanted.held, wanted.reason)
    assert row is not None
    return _read(row)


async def untold(db: Database, after: UUID, limit: int) -> list[UUID]:
    """Organizations of which services do not know how long they keep what, in their order."""
    return [row["organization_id"] for row in await db.fetch(UNTOLD, after, limit)]


async def make(tx: Transaction, orgs: Sequence[UUID]) -> list[Retention]:
    """What they have decided, made where there is nothing."""
    return [_read(row) for row in await tx.fetch(MAKE, list(orgs))]


def _read(row: Row) -> Retention:
    return Retention(**row)
