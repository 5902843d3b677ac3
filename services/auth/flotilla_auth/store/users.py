# ruff: noqa: S608 - constants of this file are put together, nothing else
"""People in organizations."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_auth.domain.entities import User

_COLUMNS: Final = (
    "organization_id, id, email, name, role, role_id, locale, time_zone, avatar_version, state, sequence,"
    " created_at"
)

INSERT: Final = f"""
INSERT INTO users (organization_id, id, email, name, role, locale, state)
VALUES ($1, $2, $3, $4, $5, $6, 'active') RETURNING {_COLUMNS}"""

READ: Final = f"SELECT {_COLUMNS} FROM users WHERE organization_id = $1 AND id = $2"

LOCK: Final = f"{READ} FOR NO KEY UPDATE"

HOLD: Final = f"{READ} FOR SHARE"

PAGE: Final = f"SELECT {_COLUMNS} FROM users"

UPDATE: Final = f"""
UPDATE users SET name = $3, locale = $4, role = $5, state = $6, role_id = $7, time_zone = $8,
    sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING {_COLUMNS}"""

GIVE_AVATAR: Final = f"""
UPDATE users SET avatar_version = sequence + 1, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING {_COLUMNS}"""

TAKE_AVATAR: Final = f"""
UPDATE users SET avatar_version = NULL, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 RETURNING {_COLUMNS}"""

# In one order, so that two who hold several people wait for each other.
LOCK_WITH_ROLE: Final = f"""
SELECT {_COLUMNS} FROM users WHERE organization_id = $1 AND role_id = $2 ORDER BY id FOR NO KEY UPDATE"""

REBASE: Final = f"""
UPDATE users SET role = $3, sequence = sequence + 1
WHERE organization_id = $1 AND role_id = $2 RETURNING {_COLUMNS}"""

OWNERS: Final = (
    "SELECT count(*) FROM users WHERE organization_id = $1 AND role = 'owner' AND state = 'active'"
)

EMAIL_TAKEN: Final = "SELECT EXISTS (SELECT FROM users WHERE organization_id = $1 AND email = $2)"

COUNT_FAILURE: Final = """
UPDATE users SET failed_sign_ins = failed_sign_ins + 1
WHERE organization_id = ANY($1) AND id = $2 AND state = 'active' RETURNING organization_id, failed_sign_ins"""

FIRST_ACTIVE: Final = f"""
SELECT {_COLUMNS} FROM users JOIN unnest($1::uuid[]) WITH ORDINALITY AS joined (org, place)
    ON organization_id = org
WHERE id = $2 AND state = 'active' ORDER BY place LIMIT 1"""

# In one order, so that two who hold a person in several organizations wait for each other.
LOCK_EVERYWHERE: Final = """
SELECT organization_id FROM users WHERE organization_id = ANY($1) AND id = $2
ORDER BY organization_id FOR NO KEY UPDATE"""

COUNT_SECURITY: Final = """
UPDATE users SET security_changes = security_changes + 1
WHERE organization_id = ANY($1) AND id = $2 RETURNING organization_id, security_changes"""


async def insert(
    tx: Transaction, organization_id: UUID, user_id: UUID, *, email: str, name: str, role: str, locale: str
) -> User:
    """A new member."""
    row = await tx.fetchrow(INSERT, organization_id, user_id, email, name, role, locale)
    assert row is not None
    return User(**row)


async def read(tx: Transaction, organization_id: UUID, user_id: UUID) -> User | None:
    """One of them."""
    return _read(await tx.fetchrow(READ, organization_id, user_id))


async def lock(tx: Transaction, organization_id: UUID, user_id: UUID) -> User | None:
    """The same, held against other changes."""
    return _read(await tx.fetchrow(LOCK, organization_id, user_id))


async def hold(tx: Transaction, organization_id: UUID, user_id: UUID) -> User | None:
    """The same, held only against being changed: what is done next is done for who they are now."""
    return _read(await tx.fetchrow(HOLD, organization_id, user_id))


async def page(
    tx: Transaction, organization_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[User]:
    """`limit` of them in this order, after the one with the key `after`."""
    rows = await order.read(tx, PAGE, Where(organization_id), after, limit)
    return [User(**row) for row in rows]


async def update(tx: Transaction, user: User) -> User:
    """As `user` says: name, locale, time zone, role, state."""
    row = await tx.fetchrow(
        UPDATE,
        user.organization_id,
        user.id,
        user.name,
        user.locale,
        user.role,
        user.state,
        user.role_id,
        user.time_zone,
    )
    assert row is not None
    return User(**row)


async def has_avatar(tx: Transaction, user: User, has: bool) -> User:
    """They have another picture from now on, or none."""
    row = await tx.fetchrow(GIVE_AVATAR if has else TAKE_AVATAR, user.organization_id, user.id)
    assert row is not None
    return User(**row)


async def rebase(tx: Transaction, organization_id: UUID, role_id: UUID, base: str) -> list[tuple[User, User]]:
    """Everybody who has this role is taken for another: before and after."""
    before = {row["id"]: User(**row) for row in await tx.fetch(LOCK_WITH_ROLE, organization_id, role_id)}
    rows = await tx.fetch(REBASE, organization_id, role_id, base)
    return [(before[row["id"]], User(**row)) for row in rows]


async def count_owners(tx: Transaction, organization_id: UUID) -> int:
    """Active ones."""
    count: int = await tx.fetchval(OWNERS, organization_id)
    return count


async def has_email(tx: Transaction, organization_id: UUID, email: str) -> bool:
    """Whether somebody in the organization, active or not, has this address."""
    taken: bool = await tx.fetchval(EMAIL_TAKEN, organization_id, email)
    return taken


async def first_active(tx: Transaction, organizations: Sequence[UUID], user_id: UUID) -> User | None:
    """The person in the first of these organizations where they have access."""
    return _read(await tx.fetchrow(FIRST_ACTIVE, list(organizations), user_id))


async def lock_everywhere(tx: Transaction, organizations: Sequence[UUID], user_id: UUID) -> None:
    """Hold a person in these organizations against other changes."""
    await tx.fetch(LOCK_EVERYWHERE, list(organizations), user_id)


async def count_security(tx: Transaction, organizations: Sequence[UUID], user_id: UUID) -> list[Row]:
    """Hold a person in these organizations: `organization_id` and `security_changes`, counted up."""
    await lock_everywhere(tx, organizations, user_id)
    return await tx.fetch(COUNT_SECURITY, list(organizations), user_id)


async def count_failure(tx: Transaction, organizations: Sequence[UUID], user_id: UUID) -> list[Row]:
    """`organization_id` and `failed_sign_ins` of each organization where they are active."""
    return await tx.fetch(COUNT_FAILURE, list(organizations), user_id)


def _read(row: Row | None) -> User | None:
    return None if row is None else User(**row)
