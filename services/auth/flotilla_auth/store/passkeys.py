# ruff: noqa: S608 - constants of this file are put together, nothing else
"""People's passkeys, and the challenges that authenticators are given."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Row, Transaction

from flotilla_auth.domain.passkeys import Passkey, Registered

_COLUMNS: Final = (
    "id, user_id, credential_id, public_key, sign_count, sealed_name, transports, backed_up, made_at, used_at,"
    " cloned_at, sequence"
)

INSERT: Final = f"""
INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, sealed_name, transports, backed_up)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (credential_id) DO NOTHING RETURNING {_COLUMNS}"""

LIST: Final = f"SELECT {_COLUMNS} FROM passkeys WHERE user_id = $1 ORDER BY id"

READ: Final = f"SELECT {_COLUMNS} FROM passkeys WHERE user_id = $1 AND id = $2"

FIND: Final = f"SELECT {_COLUMNS} FROM passkeys WHERE credential_id = $1"

RENAME: Final = f"""
UPDATE passkeys SET sealed_name = $2, sequence = sequence + 1 WHERE id = $1 AND sequence = $3 RETURNING {_COLUMNS}"""

# A count that does not grow is an older state of the authenticator: a copy of it. Those that never count say 0.
USE: Final = """
UPDATE passkeys SET sign_count = $2, backed_up = $3, used_at = now()
WHERE id = $1 AND cloned_at IS NULL AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING id"""

SUSPEND: Final = """
UPDATE passkeys SET cloned_at = now(), sequence = sequence + 1 WHERE id = $1 AND cloned_at IS NULL RETURNING id"""

DELETE: Final = "DELETE FROM passkeys WHERE user_id = $1 AND id = $2 RETURNING id"

DELETE_ALL: Final = "DELETE FROM passkeys WHERE user_id = $1"

INSERT_CHALLENGE: Final = """
INSERT INTO passkey_challenges (challenge_hash, purpose, user_id, bound_to, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::interval)"""

# Whatever comes of it, it is gone: shown once, for the wrong thing or too late, it is of no more use.
SPEND_CHALLENGE: Final = """
DELETE FROM passkey_challenges WHERE challenge_hash = $1
RETURNING purpose, user_id, bound_to, expires_at > now() AS fresh"""

DELETE_CHALLENGES: Final = "DELETE FROM passkey_challenges WHERE user_id = $1"

FORGET_EXPIRED: Final = "DELETE FROM passkey_challenges WHERE expires_at < now()"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a challenge was made for."""

    purpose: str
    user_id: UUID | None
    """None: whoever the passkey says."""
    bound_to: bytes = b""
    """The half-way sign-in or the session that it belongs to."""


async def insert(
    tx: Transaction, passkey_id: UUID, user_id: UUID, made: Registered, sealed_name: bytes
) -> Passkey | None:
    """None where somebody has it already."""
    return _read(
        await tx.fetchrow(
            INSERT,
            passkey_id,
            user_id,
            made.credential_id,
            made.public_key,
            made.sign_count,
            sealed_name,
            made.transports,
            made.backed_up,
        )
    )


async def list_of(db: Database | Transaction, user_id: UUID) -> list[Passkey]:
    """All of somebody's, in the order they came; they are few."""
    return [Passkey(**row) for row in await db.fetch(LIST, user_id)]


async def read(tx: Transaction, user_id: UUID, passkey_id: UUID) -> Passkey | None:
    """One of somebody's."""
    return _read(await tx.fetchrow(READ, user_id, passkey_id))


async def find(db: Database, credential_id: bytes) -> Passkey | None:
    """By the authenticator's id of it."""
    return _read(await db.fetchrow(FIND, credential_id))


async def rename(tx: Transaction, before: Passkey, sealed_name: bytes) -> Passkey | None:
    """Called otherwise from now on; None where it was changed or removed meanwhile."""
    return _read(await tx.fetchrow(RENAME, before.id, sealed_name, before.sequence))


async def use(db: Database, passkey_id: UUID, sign_count: int, backed_up: bool) -> bool:
    """It has just signed; False where its count does not grow, or it is refused or gone."""
    return await db.fetchval(USE, passkey_id, sign_count, backed_up) is not None


async def suspend(tx: Transaction, passkey_id: UUID) -> bool:
    """Refuse it from now on; False where it is already, or is gone."""
    return await tx.fetchval(SUSPEND, passkey_id) is not None


async def delete(tx: Transaction, user_id: UUID, passkey_id: UUID) -> bool:
    """False where they have none such."""
    return await tx.fetchval(DELETE, user_id, passkey_id) is not None


async def delete_all(tx: Transaction, user_id: UUID) -> int:
    """How many they had."""
    return int((await tx.execute(DELETE_ALL, user_id)).split()[-1])


async def give(tx: Transaction, challenge_hash: bytes, challenge: Challenge, lifetime: timedelta) -> None:
    """One that has just been made."""
    await tx.execute(
        INSERT_CHALLENGE, challenge_hash, challenge.purpose, challenge.user_id, challenge.bound_to, lifetime
    )


async def spend(db: Database, challenge_hash: bytes) -> Challenge | None:
    """What it was made for; None where there is no such, or it is too late. Good for nothing from now on."""
    row = await db.fetchrow(SPEND_CHALLENGE, challenge_hash)
    if row is None or not row["fresh"]:
        return None
    return Challenge(row["purpose"], row["user_id"], row["bound_to"])


async def delete_challenges(tx: Transaction, user_id: UUID) -> None:
    """What somebody began to add, or to prove, is added and proven no more."""
    await tx.execute(DELETE_CHALLENGES, user_id)


async def forget_expired(db: Database) -> None:
    """Nobody answers them any more."""
    await db.execute(FORGET_EXPIRED)


def _read(row: Row | None) -> Passkey | None:
    return None if row is None else Passkey(**row)
