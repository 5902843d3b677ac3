# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Sessions and their refresh tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where

from flotilla_auth.domain.entities import Session

_COLUMNS: Final = (
    "organization_id, id, user_id, method, address, user_agent,"
    " created_at, used_at, expires_at, ended_at, sequence, authenticated_at, factors"
)

INSERT: Final = f"""
INSERT INTO sessions (organization_id, id, user_id, method, address, user_agent, expires_at, factors)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval, $8) RETURNING {_COLUMNS}"""

LOCK: Final = f"SELECT {_COLUMNS} FROM sessions WHERE organization_id = $1 AND id = $2 FOR NO KEY UPDATE"

PAGE: Final = f"SELECT {_COLUMNS} FROM sessions"
LIVE: Final = "ended_at IS NULL AND expires_at > now()"

TOUCH: Final = f"""
UPDATE sessions SET used_at = now(), expires_at = least(now() + $3::interval, created_at + $6::interval),
    spent_hash = $4, spent_salt = $5
WHERE organization_id = $1 AND id = $2 RETURNING {_COLUMNS}"""

# The clock of the moment: two that come at once wait for each other, the second since before the first was done.
SALT: Final = """
SELECT spent_salt FROM sessions
WHERE organization_id = $1 AND id = $2 AND spent_hash = $3 AND clock_timestamp() < used_at + $4::interval"""

IS_LIVE: Final = """
SELECT EXISTS (SELECT FROM sessions
               WHERE organization_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > now())"""

AUTHENTICATE: Final = f"""
UPDATE sessions SET authenticated_at = now(), factors = greatest(factors, $3)
WHERE organization_id = $1 AND id = $2 AND ended_at IS NULL AND expires_at > now() RETURNING {_COLUMNS}"""

FORGET_FACTORS: Final = """
UPDATE sessions SET factors = 1 WHERE organization_id = ANY($1) AND user_id = $2 AND ended_at IS NULL"""

END_WITH_ONE_FACTOR: Final = f"""
UPDATE sessions SET ended_at = now(), end_reason = $2, sequence = sequence + 1
WHERE organization_id = $1 AND factors < 2 AND ended_at IS NULL AND expires_at > now() RETURNING {_COLUMNS}"""

END: Final = f"""
UPDATE sessions SET ended_at = now(), end_reason = $3, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND ended_at IS NULL RETURNING {_COLUMNS}"""

END_ALL: Final = f"""
UPDATE sessions SET ended_at = now(), end_reason = $3, sequence = sequence + 1
WHERE organization_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > now() RETURNING {_COLUMNS}"""

END_EVERYWHERE: Final = f"""
UPDATE sessions SET ended_at = now(), end_reason = $3, sequence = sequence + 1
WHERE organization_id = ANY($1) AND user_id = $2 AND ended_at IS NULL AND expires_at > now()
  AND id IS DISTINCT FROM $4 RETURNING {_COLUMNS}"""

END_ALL_WITH_ROLE: Final = f"""
UPDATE sessions SET ended_at = now(), end_reason = $3, sequence = sequence + 1
WHERE organization_id = $1 AND ended_at IS NULL AND expires_at > now()
  AND user_id = ANY (ARRAY(SELECT id FROM users WHERE organization_id = $1 AND role_id = $2)) RETURNING {_COLUMNS}"""

INSERT_HASH: Final = """
INSERT INTO refresh_tokens (token_hash, organization_id, session_id, user_id, expires_at)
VALUES ($1, $2, $3, $4, $5)"""

FIND_HASH: Final = "SELECT organization_id, session_id, user_id FROM refresh_tokens WHERE token_hash = $1"

SPEND: Final = """
UPDATE refresh_tokens SET used_at = now()
WHERE token_hash = $1 AND organization_id = $2 AND used_at IS NULL RETURNING expires_at > now() AS fresh"""

EXPIRED: Final = """
SELECT DISTINCT organization_id FROM (
    SELECT organization_id FROM refresh_tokens WHERE expires_at < now() - $1::interval
    ORDER BY expires_at LIMIT 10000) AS oldest"""

DELETE_EXPIRED_SESSIONS: Final = """
DELETE FROM sessions WHERE organization_id = ANY($1) AND expires_at < now() - $2::interval"""

DELETE_EXPIRED_TOKENS: Final = """
DELETE FROM refresh_tokens WHERE organization_id = ANY($1) AND expires_at < now() - $2::interval"""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request came from, as the gateway says it."""

    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Family:
    """The session that a refresh token belongs to."""

    organization_id: UUID
    session_id: UUID
    user_id: UUID


async def insert(
    tx: Transaction,
    organization_id: UUID,
    session_id: UUID,
    user_id: UUID,
    *,
    method: str,
    device: Device,
    lifetime: timedelta,
    factors: int,
) -> Session:
    """A new one."""
    row = await tx.fetchrow(
        INSERT,
        organization_id,
        session_id,
        user_id,
        method,
        device.address,
        device.user_agent,
        lifetime,
        factors,
    )
    assert row is not None
    return Session(**row)


async def lock(tx: Transaction, organization_id: UUID, session_id: UUID) -> Session | None:
    """One, held: everything about its tokens is done under this lock."""
    return _read(await tx.fetchrow(LOCK, organization_id, session_id))


async def page(
    tx: Transaction,
    organization_id: UUID,
    user_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Session]:
    """`limit` of a person's live sessions in this order, after the one with the key `after`."""
    where = Where(organization_id).equal({"user_id": user_id}).also(LIVE)
    return [Session(**row) for row in await order.read(tx, PAGE, where, after, limit)]


async def touch(
    tx: Transaction, session: Session, lifetime: timedelta, longest: timedelta, spent_hash: bytes, salt: bytes
) -> Session:
    """Used now with this token, whose next is made with this salt; good for `lifetime` more, and never longer than
    `longest` after it began."""
    row = await tx.fetchrow(TOUCH, session.organization_id, session.id, lifetime, spent_hash, salt, longest)
    assert row is not None
    return Session(**row)


async def salt_after(tx: Transaction, session: Session, spent_hash: bytes, grace: timedelta) -> bytes | None:
    """What the token after this one was made with; None where it was not the last that was spent, or too long ago."""
    salt: bytes | None = await tx.fetchval(SALT, session.organization_id, session.id, spent_hash, grace)
    return salt


async def is_live(tx: Transaction, organization_id: UUID, session_id: UUID) -> bool:
    """Whether it goes on."""
    live: bool = await tx.fetchval(IS_LIVE, organization_id, session_id)
    return live


async def authenticate(
    tx: Transaction, organization_id: UUID, session_id: UUID, factors: int
) -> Session | None:
    """They proved anew who they are; None where the session is over."""
    return _read(await tx.fetchrow(AUTHENTICATE, organization_id, session_id, factors))


async def forget_factors(tx: Transaction, organizations: list[UUID], user_id: UUID) -> None:
    """They have one factor left: none of their sessions counts for more."""
    await tx.execute(FORGET_FACTORS, organizations, user_id)


async def end_with_one_factor(tx: Transaction, organization_id: UUID, reason: str) -> list[Session]:
    """All that began without a second factor; those that ended by this."""
    return [Session(**row) for row in await tx.fetch(END_WITH_ONE_FACTOR, organization_id, reason)]


async def end(tx: Transaction, organization_id: UUID, session_id: UUID, reason: str) -> Session | None:
    """None where it had ended before."""
    return _read(await tx.fetchrow(END, organization_id, session_id, reason))


async def end_all_with_role(
    tx: Transaction, organization_id: UUID, role_id: UUID, reason: str
) -> list[Session]:
    """End all of everybody who has this role: their states after that."""
    rows = await tx.fetch(END_ALL_WITH_ROLE, organization_id, role_id, reason)
    return [Session(**row) for row in rows]


async def end_all(tx: Transaction, organization_id: UUID, user_id: UUID, reason: str) -> list[Session]:
    """All of a person's in this organization; those that ended by this."""
    return [Session(**row) for row in await tx.fetch(END_ALL, organization_id, user_id, reason)]


async def end_everywhere(
    tx: Transaction, organizations: list[UUID], user_id: UUID, reason: str, but: UUID | None
) -> list[Session]:
    """All of a person's in these organizations, but one; those that ended by this."""
    rows = await tx.fetch(END_EVERYWHERE, organizations, user_id, reason, but)
    return [Session(**row) for row in rows]


async def insert_token(tx: Transaction, session: Session, token_hash: bytes, expires_at: datetime) -> None:
    """The one that is good for the session's next refresh."""
    await tx.execute(
        INSERT_HASH, token_hash, session.organization_id, session.id, session.user_id, expires_at
    )


async def find_token(db: Database, token_hash: bytes) -> Family | None:
    """Whose it is."""
    row = await db.fetchrow(FIND_HASH, token_hash)
    return None if row is None else Family(**row)


async def use_token(tx: Transaction, organization_id: UUID, token_hash: bytes) -> bool | None:
    """Spend it: True where it was fresh, False where it had expired, None where it was spent before."""
    fresh: bool | None = await tx.fetchval(SPEND, token_hash, organization_id)
    return fresh


async def organizations_with_expired(db: Database, age: timedelta) -> list[UUID]:
    """Whose sessions ended by time more than `age` ago; some of them, when they are many."""
    return [row["organization_id"] for row in await db.fetch(EXPIRED, age)]


async def delete_expired(tx: Transaction, organizations: list[UUID], age: timedelta) -> None:
    """Their tokens and sessions."""
    await tx.execute(DELETE_EXPIRED_TOKENS, organizations, age)
    await tx.execute(DELETE_EXPIRED_SESSIONS, organizations, age)


def _read(row: Row | None) -> Session | None:
    return None if row is None else Session(**row)
