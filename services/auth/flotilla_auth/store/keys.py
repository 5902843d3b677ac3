"""The platform's own keys."""

from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

from flotilla_auth.domain.signing import SigningKey

KEY_SET: Final = UUID("00000000-0000-8000-8000-000000000001")
"""The one set of signing keys there is."""

LOCK_SET: Final = "SELECT sequence FROM key_sets WHERE id = $1 FOR UPDATE"
COUNT_CHANGE: Final = "UPDATE key_sets SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence"

SIGNING_KEYS: Final = """
SELECT id, public_key, sealed_private_key, signs_from, not_after FROM signing_keys
WHERE not_after > now() ORDER BY signs_from"""

SAVE: Final = """
INSERT INTO signing_keys (id, public_key, sealed_private_key, signs_from, not_after)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET not_after = excluded.not_after"""

DELETE_OLD: Final = "DELETE FROM signing_keys WHERE not_after < now() - interval '1 day'"


async def lock_set(tx: Transaction) -> None:
    """One process at a time changes the signing keys."""
    await tx.fetchval(LOCK_SET, KEY_SET)


async def count_change(tx: Transaction) -> int:
    """The new sequence of the set."""
    sequence: int = await tx.fetchval(COUNT_CHANGE, KEY_SET)
    return sequence


async def signing_keys(store: Database | Transaction) -> list[SigningKey]:
    """Those whose tokens may still be about."""
    return [SigningKey(**row) for row in await store.fetch(SIGNING_KEYS)]


async def save(tx: Transaction, key: SigningKey) -> None:
    """A new one, or the new end of an old one."""
    await tx.execute(SAVE, key.id, key.public_key, key.sealed_private_key, key.signs_from, key.not_after)


async def delete_old(tx: Transaction) -> None:
    """Those that expired a day ago."""
    await tx.execute(DELETE_OLD)
