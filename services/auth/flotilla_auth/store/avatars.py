"""Pictures of people, sealed."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

KEEP: Final = """
INSERT INTO avatars (organization_id, user_id, sealed_picture) VALUES ($1, $2, $3)
ON CONFLICT (organization_id, user_id) DO UPDATE SET sealed_picture = excluded.sealed_picture"""

REMOVE: Final = "DELETE FROM avatars WHERE organization_id = $1 AND user_id = $2"

# The picture and its version in one statement: never one with the other's.
READ: Final = """
SELECT u.avatar_version AS version, a.sealed_picture FROM users u
JOIN avatars a ON a.organization_id = u.organization_id AND a.user_id = u.id
WHERE u.organization_id = $1 AND u.id = $2"""

AFTER: Final = """
SELECT user_id, sealed_picture FROM avatars
WHERE organization_id = $1 AND user_id > $2 AND ($3::uuid[] IS NULL OR user_id = ANY($3))
ORDER BY user_id LIMIT $4"""


async def keep(tx: Transaction, organization_id: UUID, user_id: UUID, sealed: bytes) -> None:
    """In place of the one before."""
    await tx.execute(KEEP, organization_id, user_id, sealed)


async def remove(tx: Transaction, organization_id: UUID, user_id: UUID) -> None:
    """Theirs."""
    await tx.execute(REMOVE, organization_id, user_id)


async def read(tx: Transaction, organization_id: UUID, user_id: UUID) -> Row | None:
    """`version` and `sealed_picture`; None where they have none."""
    return await tx.fetchrow(READ, organization_id, user_id)


async def after(
    tx: Transaction, organization_id: UUID, user_id: UUID, users: Sequence[UUID] | None, limit: int
) -> list[Row]:
    """`user_id` and `sealed_picture` of so many, in the order of ids, after this one; None: of anybody."""
    return await tx.fetch(AFTER, organization_id, user_id, None if users is None else list(users), limit)
