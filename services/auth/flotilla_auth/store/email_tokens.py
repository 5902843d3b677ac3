"""Tokens that stand in mails, as hashes."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

INSERT: Final = """
INSERT INTO email_tokens (token_hash, purpose, user_id, mail_id, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::interval)"""

RECENT: Final = """
SELECT count(DISTINCT mail_id) FROM email_tokens
WHERE user_id = $1 AND purpose = $2 AND made_at > now() - interval '1 hour' AND mail_id <> $3"""

FIND: Final = """
SELECT user_id FROM email_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > now()"""

SPEND: Final = """
DELETE FROM email_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > now() RETURNING user_id"""

DELETE_OF: Final = "DELETE FROM email_tokens WHERE user_id = $1 AND purpose = $2"

FORGET_EXPIRED: Final = "DELETE FROM email_tokens WHERE expires_at < now() - interval '1 hour'"


async def insert(
    db: Database, token_hash: bytes, purpose: str, user_id: UUID, mail_id: UUID, lifetime: timedelta
) -> None:
    """One that is about to be sent."""
    await db.execute(INSERT, token_hash, purpose, user_id, mail_id, lifetime)


async def recent(db: Database, user_id: UUID, purpose: str, mail_id: UUID) -> int:
    """In how many mails but this one the person was sent such a token within the hour."""
    count: int = await db.fetchval(RECENT, user_id, purpose, mail_id)
    return count


async def find(db: Database, token_hash: bytes, purpose: str) -> UUID | None:
    """Whose it is, while it is good."""
    user_id: UUID | None = await db.fetchval(FIND, token_hash, purpose)
    return user_id


async def spend(tx: Transaction, token_hash: bytes, purpose: str) -> bool:
    """Use it, and with it all others that the person was sent for the same; False where it is not good any more."""
    user_id = await tx.fetchval(SPEND, token_hash, purpose)
    if user_id is not None:
        await forget(tx, user_id, purpose)
    return user_id is not None


async def forget(tx: Transaction, user_id: UUID, purpose: str) -> None:
    """All that the person was sent for this are good for nothing any more."""
    await tx.execute(DELETE_OF, user_id, purpose)


async def forget_expired(db: Database) -> None:
    """They were good once; an hour more, as they count how many mails somebody was sent."""
    await db.execute(FORGET_EXPIRED)
