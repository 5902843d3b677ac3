"""Credentials, memberships and counted attempts: found by hashes, before any organization is known."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.security.keyed_hashes import HASH_BYTES, Hashes
from flotilla.store.postgres import Database, Row, Transaction

FIND: Final = "SELECT user_id, password_hash FROM credentials WHERE email_hash = ANY($1)"

# While the derivation key is being changed, one process hashes an address with one key and its neighbour with another.
ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 0))"

INSERT: Final = """
INSERT INTO credentials (user_id, email_hash, password_hash)
SELECT $1, ($2::bytea[])[1], $3 WHERE NOT EXISTS (SELECT FROM credentials WHERE email_hash = ANY($2))
ON CONFLICT (email_hash) DO NOTHING RETURNING user_id"""

REHASH: Final = "UPDATE credentials SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2"

READ: Final = "SELECT password_hash, email_verified_at FROM credentials WHERE user_id = $1"

SET_HASH: Final = "UPDATE credentials SET password_hash = $2, changed_at = now() WHERE user_id = $1"

VERIFY_EMAIL: Final = """
UPDATE credentials SET email_verified_at = now() WHERE user_id = $1 AND email_verified_at IS NULL
RETURNING email_verified_at"""

UNDER_OLDER_KEYS: Final = """
SELECT user_id FROM credentials
WHERE user_id > $2 AND (
    length(email_hash) <> length($1::bytea)
    OR substr(email_hash, 1, length($1::bytea) - $3) <> substr($1::bytea, 1, length($1::bytea) - $3)
)
ORDER BY user_id LIMIT $4"""

EMAILS: Final = """
SELECT DISTINCT u.id, u.email FROM users u WHERE u.organization_id = ANY($1) AND u.id = ANY($2)"""

RENEW_EMAIL_HASHES: Final = """
UPDATE credentials c SET email_hash = n.fresh
FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS n (user_id, old, fresh)
WHERE c.user_id = n.user_id AND c.email_hash = n.old RETURNING c.user_id"""

MEMBERSHIPS_OF: Final = "SELECT DISTINCT organization_id FROM memberships WHERE user_id = ANY($1)"

FORGET_ATTEMPTS_OF: Final = """
DELETE FROM sign_in_attempts WHERE email_hash = (SELECT email_hash FROM credentials WHERE user_id = $1)"""

JOIN: Final = """
INSERT INTO memberships (user_id, organization_id) VALUES ($1, $2)
ON CONFLICT (user_id, organization_id) DO NOTHING RETURNING organization_id"""

MEMBERSHIPS: Final = (
    "SELECT organization_id FROM memberships WHERE user_id = $1 ORDER BY joined_at, organization_id"
)

RESERVE_ATTEMPT: Final = """
INSERT INTO sign_in_attempts AS a (email_hash, failures) VALUES ($1, 1)
ON CONFLICT (email_hash) DO UPDATE SET
    failures = a.failures + 1,
    locked_until = now() + ($2::float8[])[least(a.failures + 1, cardinality($2))] * interval '1 second',
    last_at = now()
WHERE a.locked_until IS NULL OR a.locked_until <= now()
RETURNING failures"""

LOCKED_SECONDS: Final = """
SELECT greatest(1, ceil(extract(epoch FROM locked_until - now())))::int FROM sign_in_attempts
WHERE email_hash = $1 AND locked_until > now()"""

FORGET_ATTEMPTS: Final = "DELETE FROM sign_in_attempts WHERE email_hash = $1"
FORGET_OLD_ATTEMPTS: Final = "DELETE FROM sign_in_attempts WHERE last_at < now() - $1::interval"


async def find(db: Database, email: Hashes) -> Row | None:
    """`user_id` and `password_hash` of an address."""
    return await db.fetchrow(FIND, list(email))


async def insert(tx: Transaction, user_id: UUID, email: Hashes, password_hash: str) -> bool:
    """False where somebody has the address, also where they got it a moment ago."""
    if len(email) > 1:
        await tx.fetchval(ONE_AT_A_TIME, min(email))
    return await tx.fetchval(INSERT, user_id, list(email), password_hash) is not None


async def under_older_keys(db: Database, newest: bytes, after: UUID, most: int) -> list[UUID]:
    """Whose address is hashed with another key than the newest, whose hashes begin and are as long as this one."""
    rows = await db.fetch(UNDER_OLDER_KEYS, newest, after, HASH_BYTES, most)
    return [row["user_id"] for row in rows]


async def renew_email_hashes(
    tx: Transaction, organizations: list[UUID], user_ids: list[UUID], hashes: Callable[[str], Hashes]
) -> int:
    """Hash these people's addresses with the newest key; how many were under an older one."""
    rows = await tx.fetch(EMAILS, organizations, user_ids)
    found = [
        (row["id"], old, fresh) for row in rows for fresh, *older in [hashes(row["email"])] for old in older
    ]
    if not found:
        return 0
    return len(await tx.fetch(RENEW_EMAIL_HASHES, *(list(column) for column in zip(*found, strict=True))))


async def rehash(db: Database, user_id: UUID, old: str, new: str) -> None:
    """The same password under today's parameters; nothing happens where it was changed meanwhile."""
    await db.execute(REHASH, user_id, old, new)


async def read(db: Database | Transaction, user_id: UUID) -> Row | None:
    """`password_hash` and `email_verified_at` of a person."""
    return await db.fetchrow(READ, user_id)


async def set_password(tx: Transaction, user_id: UUID, password_hash: str) -> None:
    """From now on this one; wrong attempts at the one before are forgotten."""
    await tx.execute(SET_HASH, user_id, password_hash)
    await tx.execute(FORGET_ATTEMPTS_OF, user_id)


async def verify_email(tx: Transaction, user_id: UUID) -> bool:
    """Their address is theirs; False where that was known."""
    return await tx.fetchval(VERIFY_EMAIL, user_id) is not None


async def join(tx: Transaction, user_id: UUID, organization_id: UUID) -> bool:
    """False where they are in it already."""
    return await tx.fetchval(JOIN, user_id, organization_id) is not None


async def memberships(db: Database, user_id: UUID) -> list[UUID]:
    """Their organizations, the one joined first in front."""
    return [row["organization_id"] for row in await db.fetch(MEMBERSHIPS, user_id)]


async def organizations_of(db: Database, user_ids: list[UUID]) -> list[UUID]:
    """The organizations of any of them."""
    return [row["organization_id"] for row in await db.fetch(MEMBERSHIPS_OF, user_ids)]


async def reserve_attempt(db: Database, email_hash: bytes, lock_seconds: Sequence[float]) -> int | None:
    """Count an attempt before the password is looked at, so that many at once count as many; None: locked."""
    count: int | None = await db.fetchval(RESERVE_ATTEMPT, email_hash, list(lock_seconds))
    return count


async def locked_seconds(db: Database, email_hash: bytes) -> int:
    """How long the lock still holds, at least 1."""
    seconds: int | None = await db.fetchval(LOCKED_SECONDS, email_hash)
    return seconds or 1


async def forget_attempts(db: Database, email_hash: bytes) -> None:
    """After the right password."""
    await db.execute(FORGET_ATTEMPTS, email_hash)


async def forget_old_attempts(db: Database, age: timedelta) -> None:
    """Those whose last is older than `age`."""
    await db.execute(FORGET_OLD_ATTEMPTS, age)
