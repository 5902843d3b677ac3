"""Stored answers of requests that carried an Idempotency-Key: all sealed, for some tell a secret that is told once.

They are kept for a day, which is why keys that rotate do not reach them: an older key is kept for longer than that.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from flotilla.security.sealing import Keyring, UnsealError
from flotilla.store.postgres import Transaction

PAGE: Final = 1000
EMPTY: Final = b"{}"
"""In place of an answer that was taken back; nothing that opens."""
PAGE_OF: Final = """
SELECT scope, key, body FROM idempotency_keys
WHERE scope LIKE $1::text || ':%' AND (scope, key) > ($2, $3) ORDER BY scope, key LIMIT $4"""
TAKE_BACK: Final = """
UPDATE idempotency_keys k SET body = '{}' FROM unnest($1::text[], $2::text[]) AS t (scope, key)
WHERE k.scope = t.scope AND k.key = t.key"""


def seal(keyring: Keyring, scope: str, key: str, body: bytes) -> bytes:
    """As it is stored, tied to its row."""
    return keyring.seal(body, _place(scope, key))


def open_(keyring: Keyring, scope: str, key: str, sealed: bytes) -> bytes | None:
    """The answer; None where it was taken back, or its key is gone."""
    try:
        return keyring.open(sealed, _place(scope, key))
    except UnsealError:
        return None


async def take_back(tx: Transaction, org: UUID, names: Collection[UUID]) -> int:
    """Empty those of an organization that name any of these: how many.

    The rows stay, so that a request that is repeated is still not done twice.
    """
    wanted = [str(name).encode() for name in names]
    scope, key, count = "", "", 0
    while rows := await tx.fetch(PAGE_OF, str(org), scope, key, PAGE):
        scope, key = rows[-1]["scope"], rows[-1]["key"]
        naming = []
        for row in rows:
            body = (open_(tx.app.keyring, row["scope"], row["key"], row["body"]) or b"").lower()
            if any(name in body for name in wanted):
                naming.append(row)
        if naming:
            await tx.execute(TAKE_BACK, [row["scope"] for row in naming], [row["key"] for row in naming])
            count += len(naming)
    return count


def _place(scope: str, key: str) -> bytes:
    return f"{scope}\n{key}".encode()
