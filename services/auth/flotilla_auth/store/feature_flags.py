# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Feature flags, an organization's own and the platform's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFlag:
    """Whether a feature is on, in an environment, for how many of a hundred."""

    organization_id: UUID
    id: UUID
    key: str
    environment: str
    enabled: bool
    percentage: int
    description: str
    state: str
    sequence: int
    created_at: datetime


_COLUMNS: Final = (
    "organization_id, id, key, environment, enabled, percentage, description, state, sequence, created_at"
)

INSERT: Final = f"""
INSERT INTO feature_flags (organization_id, id, key, environment, enabled, percentage, description)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (organization_id, key, environment) WHERE state = 'active' DO NOTHING RETURNING {_COLUMNS}"""

READ: Final = (
    f"SELECT {_COLUMNS} FROM feature_flags WHERE organization_id = $1 AND id = $2 AND state = 'active'"
)

LOCK: Final = f"{READ} FOR UPDATE"

LOCK_BY_KEY: Final = f"""
SELECT {_COLUMNS} FROM feature_flags
WHERE organization_id = $1 AND key = $2 AND environment = $3 AND state = 'active' FOR UPDATE"""

PAGE: Final = f"SELECT {_COLUMNS} FROM feature_flags"

UPDATE: Final = f"""
UPDATE feature_flags SET enabled = $3, percentage = $4, description = $5, state = $6, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING {_COLUMNS}"""


async def insert(
    tx: Transaction,
    org: UUID,
    flag_id: UUID,
    *,
    key: str,
    environment: str,
    enabled: bool,
    percentage: int,
    description: str,
) -> FeatureFlag | None:
    """A new one; None where there is one of this key in this environment."""
    row = await tx.fetchrow(INSERT, org, flag_id, key, environment, enabled, percentage, description)
    return _read(row)


async def read(tx: Transaction, org: UUID, flag_id: UUID) -> FeatureFlag | None:
    """One that is not deleted."""
    return _read(await tx.fetchrow(READ, org, flag_id))


async def lock(tx: Transaction, org: UUID, flag_id: UUID) -> FeatureFlag | None:
    """The same, held against other changes."""
    return _read(await tx.fetchrow(LOCK, org, flag_id))


async def lock_by_key(tx: Transaction, org: UUID, key: str, environment: str) -> FeatureFlag | None:
    """The one of this key, held."""
    return _read(await tx.fetchrow(LOCK_BY_KEY, org, key, environment))


async def page(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[FeatureFlag]:
    """`limit` of them in this order, after the one with the key `after`."""
    where = Where(org).also("state = 'active'")
    return [FeatureFlag(**row) for row in await order.read(tx, PAGE, where, after, limit)]


async def update(tx: Transaction, flag: FeatureFlag) -> FeatureFlag:
    """Write what may change; the new state."""
    row = await tx.fetchrow(
        UPDATE,
        flag.organization_id,
        flag.id,
        flag.enabled,
        flag.percentage,
        flag.description,
        flag.state,
    )
    assert row is not None
    return FeatureFlag(**row)


def _read(row: Row | None) -> FeatureFlag | None:
    return FeatureFlag(**row) if row else None
