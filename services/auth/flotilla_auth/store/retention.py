"""How long an organization keeps what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
    bound_days: int | None = None
    """What its plan has it keep at most; None: no bound."""
    bound_from: datetime | None = None
    bound_sequence: int = 0
    """Of billing's word; 0: it has said nothing yet."""


_FIELDS: Final = "organization_id, sequence, periods, held, reason, bound_days, bound_from, bound_sequence"
# Where nothing was decided there may be no row: then it is made.
LOCK: Final = f"""
INSERT INTO retention (organization_id, id) VALUES ($1, $1)
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = retention.sequence
RETURNING {_FIELDS}"""  # noqa: S608
READ: Final = f"SELECT {_FIELDS} FROM retention WHERE organization_id = $1"  # noqa: S608
UPDATE: Final = f"""
UPDATE retention SET periods = $2, held = $3, reason = $4, sequence = sequence + 1
WHERE organization_id = $1 RETURNING {_FIELDS}"""  # noqa: S608
# Of whom auth itself, which is told like all others, does not know yet how long they keep what.
UNTOLD: Final = """
SELECT DISTINCT s.organization_id FROM slugs s
WHERE s.organization_id > $1
  AND NOT EXISTS (SELECT FROM retained r WHERE r.organization_id = s.organization_id)
  AND NOT EXISTS (SELECT FROM forgotten f WHERE f.organization_id = s.organization_id AND f.id = s.organization_id)
ORDER BY 1 LIMIT $2"""
MAKE: Final = f"""
INSERT INTO retention (organization_id, id) SELECT id, id FROM unnest($1::uuid[]) AS id
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = retention.sequence
RETURNING {_FIELDS}"""  # noqa: S608


# In one statement for all, each counted up.
BIND: Final = f"""
UPDATE retention r SET bound_days = t.days, bound_from = t.since, bound_sequence = t.told, sequence = r.sequence + 1
FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::bigint[]) AS t (org, days, since, told)
WHERE r.organization_id = t.org RETURNING {_FIELDS}"""  # noqa: S608
OWNERS: Final = """
SELECT u.organization_id, u.id FROM unnest($1::uuid[]) AS org
JOIN users u ON u.organization_id = org AND u.role = 'owner' AND u.state = 'active' ORDER BY 1, 2"""


async def bind(tx: Transaction, wanted: Sequence[Retention]) -> list[Retention]:
    """Write bounds of organizations that are held; the new states."""
    rows = await tx.fetch(
        BIND,
        [each.organization_id for each in wanted],
        [each.bound_days for each in wanted],
        [each.bound_from for each in wanted],
        [each.bound_sequence for each in wanted],
    )
    return [_read(row) for row in rows]


async def owners(tx: Transaction, orgs: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(organization, user) of all who are told."""
    return [(row["organization_id"], row["id"]) for row in await tx.fetch(OWNERS, list(orgs))]


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
