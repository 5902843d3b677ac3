# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Who is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

_COLUMNS: Final = "organization_id, user_id, status, until, changed_at, spell, sequence"

# Nobody's status is counted up by a heartbeat: nothing changes.
KEEP: Final = f"""
INSERT INTO presences AS p (organization_id, user_id, status, until)
VALUES ($1, $2, $3, CASE WHEN $3 <> 'offline' THEN now() + $4::interval END)
ON CONFLICT (organization_id, user_id) DO UPDATE
SET status = excluded.status, until = excluded.until,
    changed_at = CASE WHEN p.status <> excluded.status THEN now() ELSE p.changed_at END,
    spell = CASE WHEN p.status = 'offline' AND excluded.status <> 'offline' THEN p.sequence + 1 ELSE p.spell END,
    sequence = p.sequence + (p.status <> excluded.status)::int
RETURNING {_COLUMNS}"""

READ: Final = f"SELECT {_COLUMNS} FROM presences WHERE organization_id = $1 AND user_id = $2"

PAGE: Final = f"SELECT {_COLUMNS} FROM presences"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Whether somebody is there."""

    organization_id: UUID
    user_id: UUID
    status: str
    until: datetime | None
    """When they count as offline unless heard of again; None: they are."""
    changed_at: datetime
    spell: int
    """The sequence with which they came last."""
    sequence: int


async def read(
    tx: Transaction, organization_id: UUID, user_id: UUID, *, lock: bool = False
) -> Presence | None:
    """Somebody's, held with `lock`; None where they were never there."""
    return _read(await tx.fetchrow(READ + " FOR UPDATE" * lock, organization_id, user_id))


async def keep(
    tx: Transaction, organization_id: UUID, user_id: UUID, status: str, lifetime: timedelta
) -> Presence:
    """They say so, and count as it for `lifetime`."""
    kept = _read(await tx.fetchrow(KEEP, organization_id, user_id, status, lifetime))
    assert kept is not None
    return kept


async def page(
    tx: Transaction, organization_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Presence]:
    """`limit` people who have said something of it in this order, after the one with the key `after`."""
    rows = await order.read(tx, PAGE, Where(organization_id), after, limit)
    return [Presence(**row) for row in rows]


def _read(row: Row | None) -> Presence | None:
    return None if row is None else Presence(**row)
