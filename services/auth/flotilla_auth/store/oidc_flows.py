"""Sign-ins elsewhere that were begun."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

INSERT: Final = """
INSERT INTO oidc_flows (token_hash, provider, user_id, organization_id, expires_at)
VALUES ($1, $2, $3, $4, now() + interval '10 minutes')"""

SPEND: Final = """
DELETE FROM oidc_flows WHERE token_hash = $1 AND expires_at > now()
RETURNING provider, user_id, organization_id"""

DELETE_OF: Final = "DELETE FROM oidc_flows WHERE user_id = $1"

FORGET_EXPIRED: Final = "DELETE FROM oidc_flows WHERE expires_at < now()"


@dataclass(frozen=True, slots=True)
class Flow:
    """With whom, by whom who is signed in, and into which organization they want."""

    provider: str
    user_id: UUID | None
    organization_id: UUID | None


async def insert(tx: Transaction, token_hash: bytes, flow: Flow) -> None:
    """One that has just begun."""
    await tx.execute(INSERT, token_hash, flow.provider, flow.user_id, flow.organization_id)


async def spend(db: Database, token_hash: bytes) -> Flow | None:
    """End it; None where it is not good any more."""
    row = await db.fetchrow(SPEND, token_hash)
    return None if row is None else Flow(**row)


async def delete_of(tx: Transaction, user_id: UUID) -> None:
    """What somebody began to link is linked no more."""
    await tx.execute(DELETE_OF, user_id)


async def forget_expired(db: Database) -> None:
    """Nobody comes back from there any more."""
    await db.execute(FORGET_EXPIRED)
