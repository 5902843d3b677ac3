"""Keyed hashes that are looked up: whoever steals the table cannot try out what stands in it.

HMAC-SHA-256 under a key that is derived for one purpose. What was made with any derivation key but the very first
begins with that key's header (flotilla.security.sealing), so that it can be told how much is under which.
"""

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass
from typing import Final

import asyncpg

from flotilla.security.sealing import FIRST, Keyring, UnsealError, header, sealed_under

HASH_BYTES: Final = hashlib.sha256().digest_size
Hashes = tuple[bytes, ...]
"""Of one thing, under each derivation key there is; the first is the one to store, all are to be looked for."""


@dataclass(frozen=True)
class HashedColumn:
    """A column of a service's with such hashes."""

    table: str
    column: str
    lost: str
    """What those are whose key is dropped, for who drops it."""
    needed: bool = False
    """Whether they must be made anew before."""


class KeyedHashes:
    """Those of one purpose."""

    def __init__(self, keyring: Keyring, purpose: str) -> None:
        keys = keyring.derive_all(purpose)
        self._keys = [(_tag(key_id), key) for key_id, key in zip(keyring.derivations, keys, strict=True)]

    def of(self, said: bytes) -> Hashes:
        """As it is stored from now on, then as it may have been before."""
        return tuple(tag + hmac.digest(key, said, hashlib.sha256) for tag, key in self._keys)


def hashed_under(stored: bytes) -> str:
    """The id of the derivation key of a hash."""
    if len(stored) == HASH_BYTES:
        return FIRST
    try:
        return sealed_under(stored)
    except UnsealError:
        return "?"


async def counted(connection: asyncpg.Connection, service: str, column: HashedColumn) -> Counter[str]:
    """How many there are under each derivation key, by its id."""
    # The head alone says it: one byte of version, one of length, the id.
    head = f"CASE WHEN length({column.column}) = {HASH_BYTES} THEN NULL"
    head += f" ELSE substr({column.column}, 1, 2 + get_byte({column.column}, 1)) END"
    rows = await connection.fetch(
        f"SELECT {head} AS head, count(*) AS number FROM {service}.{column.table} GROUP BY 1"  # noqa: S608 - ours
    )
    return Counter(
        {FIRST if row["head"] is None else hashed_under(row["head"]): row["number"] for row in rows}
    )


def _tag(key_id: str) -> bytes:
    return b"" if key_id == FIRST else header(key_id)
