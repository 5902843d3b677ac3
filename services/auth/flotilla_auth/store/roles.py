# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Organizations' own roles."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_auth.domain.own_roles import OwnRole

_COLUMNS: Final = "organization_id, id, name, base, permissions, state, sequence, created_at"

INSERT: Final = f"""
INSERT INTO roles (organization_id, id, name, base, permissions) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (organization_id, lower(name)) WHERE state = 'active' DO NOTHING RETURNING {_COLUMNS}"""

READ: Final = f"SELECT {_COLUMNS} FROM roles WHERE organization_id = $1 AND id = $2 AND state = 'active'"

LOCK: Final = f"{READ} FOR UPDATE"

# Held against being deleted; whoever gives it to somebody needs no more.
HOLD: Final = f"{READ} FOR SHARE"

PAGE: Final = f"SELECT {_COLUMNS} FROM roles"

NAME_TAKEN: Final = """
SELECT EXISTS (SELECT FROM roles WHERE organization_id = $1 AND lower(name) = lower($2) AND id <> $3
               AND state = 'active')"""

UPDATE: Final = f"""
UPDATE roles SET name = $3, base = $4, permissions = $5, state = $6, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING {_COLUMNS}"""

IN_USE: Final = "SELECT EXISTS (SELECT FROM users WHERE organization_id = $1 AND role_id = $2)"


async def insert(
    tx: Transaction,
    organization_id: UUID,
    role_id: UUID,
    *,
    name: str,
    base: str,
    permissions: Mapping[str, str],
) -> OwnRole | None:
    """A new one; None where another has the name."""
    return _read(await tx.fetchrow(INSERT, organization_id, role_id, name, base, permissions))


async def read(tx: Transaction, organization_id: UUID, role_id: UUID) -> OwnRole | None:
    """One that is not deleted."""
    return _read(await tx.fetchrow(READ, organization_id, role_id))


async def lock(tx: Transaction, organization_id: UUID, role_id: UUID) -> OwnRole | None:
    """The same, held against others who change it or give it to somebody."""
    return _read(await tx.fetchrow(LOCK, organization_id, role_id))


async def hold(tx: Transaction, organization_id: UUID, role_id: UUID) -> OwnRole | None:
    """The same, held only against being changed."""
    return _read(await tx.fetchrow(HOLD, organization_id, role_id))


async def page(
    tx: Transaction, organization_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[OwnRole]:
    """`limit` of them in this order, after the one with the key `after`."""
    where = Where(organization_id).also("state = 'active'")
    return [OwnRole(**row) for row in await order.read(tx, PAGE, where, after, limit)]


async def has_name(tx: Transaction, role: OwnRole) -> bool:
    """Whether another of the organization's has its name."""
    taken: bool = await tx.fetchval(NAME_TAKEN, role.organization_id, role.name, role.id)
    return taken


async def update(tx: Transaction, role: OwnRole) -> OwnRole:
    """As `role` says; the transaction holds it."""
    saved = _read(
        await tx.fetchrow(
            UPDATE, role.organization_id, role.id, role.name, role.base, role.permissions, role.state
        )
    )
    assert saved is not None
    return saved


async def is_in_use(tx: Transaction, role: OwnRole) -> bool:
    """Whether somebody has it."""
    used: bool = await tx.fetchval(IN_USE, role.organization_id, role.id)
    return used


def _read(row: Row | None) -> OwnRole | None:
    return None if row is None else OwnRole(**row)
