"""People who have proven the first factor and not yet the second."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

INSERT: Final = """
INSERT INTO pending_sign_ins (token_hash, user_id, organization_id, method, enrols, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval)"""

FIND: Final = """
SELECT user_id, organization_id, method, enrols FROM pending_sign_ins
WHERE token_hash = $1 AND expires_at > now()"""

SPEND: Final = "DELETE FROM pending_sign_ins WHERE token_hash = $1 AND expires_at > now() RETURNING user_id"

DELETE_OF: Final = "DELETE FROM pending_sign_ins WHERE user_id = $1"

FORGET_EXPIRED: Final = "DELETE FROM pending_sign_ins WHERE expires_at < now()"


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """Who is half-way in, and where to."""

    user_id: UUID
    organization_id: UUID
    method: str
    enrols: bool


async def insert(tx: Transaction, token_hash: bytes, pending: PendingSignIn, lifetime: timedelta) -> None:
    """One that has just begun."""
    await tx.execute(
        INSERT,
        token_hash,
        pending.user_id,
        pending.organization_id,
        pending.method,
        pending.enrols,
        lifetime,
    )


async def find(db: Database, token_hash: bytes) -> PendingSignIn | None:
    """Whose token it is, while it is good."""
    row = await db.fetchrow(FIND, token_hash)
    return None if row is None else PendingSignIn(**row)


async def spend(tx: Transaction, token_hash: bytes) -> bool:
    """Use it; False where it is not good any more."""
    return await tx.fetchval(SPEND, token_hash) is not None


async def delete_of(tx: Transaction, user_id: UUID) -> None:
    """What they began under another password, or other factors, leads nowhere."""
    await tx.execute(DELETE_OF, user_id)


async def forget_expired(db: Database) -> None:
    """Nobody comes with them any more."""
    await db.execute(FORGET_EXPIRED)
