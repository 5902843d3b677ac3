"""People's second factors."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.security.keyed_hashes import Hashes
from flotilla.store.postgres import Database, Row, Transaction

READ_TOTP: Final = "SELECT sealed_secret, confirmed_at, last_step FROM totp_factors WHERE user_id = $1"

# One that was confirmed stays: it is removed before another is made.
OFFER_TOTP: Final = """
INSERT INTO totp_factors AS f (user_id, sealed_secret) VALUES ($1, $2)
ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, last_step = 0, made_at = now()
WHERE f.confirmed_at IS NULL RETURNING user_id"""

CONFIRM_TOTP: Final = """
UPDATE totp_factors SET confirmed_at = now(), last_step = $2
WHERE user_id = $1 AND confirmed_at IS NULL AND last_step < $2 AND sealed_secret = $3 RETURNING user_id"""

USE_STEP: Final = """
UPDATE totp_factors SET last_step = $2
WHERE user_id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL RETURNING user_id"""

REMOVE_TOTP: Final = (
    "DELETE FROM totp_factors WHERE user_id = $1 RETURNING confirmed_at IS NOT NULL AS confirmed"
)

METHODS: Final = """
SELECT EXISTS (SELECT FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS totp,
    -- Also those that are refused: who copied one shall not be asked for less than before.
    EXISTS (SELECT FROM passkeys WHERE user_id = $1) AS passkey,
    (SELECT count(*) FROM recovery_codes WHERE user_id = $1)::int AS recovery_codes"""

DELETE_CODES: Final = "DELETE FROM recovery_codes WHERE user_id = $1"
INSERT_CODES: Final = "INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])"
USE_CODE: Final = "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = ANY($2) RETURNING user_id"


async def read_totp(db: Database | Transaction, user_id: UUID) -> Row | None:
    """`sealed_secret`, `confirmed_at` and `last_step`."""
    return await db.fetchrow(READ_TOTP, user_id)


async def methods(db: Database | Transaction, user_id: UUID) -> tuple[list[str], int]:
    """Which second factors they have, and how many recovery codes are left of theirs."""
    row = await db.fetchrow(METHODS, user_id)
    assert row is not None
    return [name for name in ("totp", "passkey") if row[name]], row["recovery_codes"]


async def offer_totp(tx: Transaction, user_id: UUID, sealed_secret: bytes) -> bool:
    """A secret that is not confirmed yet, in place of another such; False where one is."""
    return await tx.fetchval(OFFER_TOTP, user_id, sealed_secret) is not None


async def confirm_totp(tx: Transaction, user_id: UUID, step: int, sealed_secret: bytes) -> bool:
    """It is theirs from now on; False where it was confirmed, or another was offered, meanwhile."""
    return await tx.fetchval(CONFIRM_TOTP, user_id, step, sealed_secret) is not None


async def use_step(tx: Transaction, user_id: UUID, step: int) -> bool:
    """Take the code of this step; False where it, or a later one, was taken."""
    return await tx.fetchval(USE_STEP, user_id, step) is not None


async def remove_totp(tx: Transaction, user_id: UUID) -> bool:
    """False where they had none."""
    return bool(await tx.fetchval(REMOVE_TOTP, user_id))


async def replace_codes(tx: Transaction, user_id: UUID, hashes: Sequence[bytes]) -> None:
    """These recovery codes and no others."""
    await tx.execute(DELETE_CODES, user_id)
    await tx.execute(INSERT_CODES, user_id, list(hashes))


async def use_code(tx: Transaction, user_id: UUID, code: Hashes) -> bool:
    """Take a recovery code, once."""
    return await tx.fetchval(USE_CODE, user_id, list(code)) is not None
