"""Accounts elsewhere with which people sign in."""

from typing import Final
from uuid import UUID

from flotilla.security.keyed_hashes import Hashes
from flotilla.store.postgres import Database, Row, Transaction

USE: Final = """
UPDATE identities SET used_at = now(), subject_hash = ($2::bytea[])[1]
WHERE issuer = $1 AND subject_hash = ANY($2) RETURNING user_id"""

INSERT: Final = """
INSERT INTO identities (id, user_id, provider, issuer, subject_hash) SELECT $1, $2, $3, $4, ($5::bytea[])[1]
WHERE NOT EXISTS (SELECT FROM identities WHERE issuer = $4 AND subject_hash = ANY($5))
ON CONFLICT (issuer, subject_hash) DO NOTHING RETURNING id"""

COUNT: Final = "SELECT count(*) FROM identities WHERE user_id = $1"

LIST: Final = "SELECT id, provider, linked_at, used_at FROM identities WHERE user_id = $1 ORDER BY id"

DELETE: Final = "DELETE FROM identities WHERE user_id = $1 AND id = $2 RETURNING provider"

DELETE_ALL: Final = "DELETE FROM identities WHERE user_id = $1 RETURNING provider"


async def use(db: Database, issuer: str, subject: Hashes) -> UUID | None:
    """Whose it is, hashed with the newest key from now on; None where nobody's."""
    user_id: UUID | None = await db.fetchval(USE, issuer, list(subject))
    return user_id


async def insert(
    tx: Transaction, identity_id: UUID, user_id: UUID, provider: str, issuer: str, subject: Hashes
) -> bool:
    """False where it is somebody's."""
    return await tx.fetchval(INSERT, identity_id, user_id, provider, issuer, list(subject)) is not None


async def count(tx: Transaction, user_id: UUID) -> int:
    """How many somebody has."""
    found: int = await tx.fetchval(COUNT, user_id)
    return found


async def list_of(tx: Transaction, user_id: UUID) -> list[Row]:
    """All of somebody's; they are few."""
    return await tx.fetch(LIST, user_id)


async def delete(tx: Transaction, user_id: UUID, identity_id: UUID) -> str | None:
    """Its provider; None where they have none such."""
    provider: str | None = await tx.fetchval(DELETE, user_id, identity_id)
    return provider


async def delete_all(tx: Transaction, user_id: UUID) -> list[str]:
    """Every one of somebody's: their providers."""
    return [row["provider"] for row in await tx.fetch(DELETE_ALL, user_id)]
