# ruff: noqa: S608 - constants of this file are put together, nothing else
"""API keys, as hashes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_auth.domain.api_keys import ApiKey

_COLUMNS: Final = (
    "organization_id, id, sequence, name, hint, verifier, scopes, role, created_by, created_at, expires_at,"
    " requests_per_hour, revoked_at, revoke_reason, used_at"
)

INSERT: Final = f"""
INSERT INTO api_keys (organization_id, id, name, hint, verifier, scopes, role, created_by, expires_at,
                      requests_per_hour)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING {_COLUMNS}"""

COUNT: Final = """
SELECT count(*) FROM api_keys
WHERE organization_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"""

READ: Final = f"SELECT {_COLUMNS} FROM api_keys WHERE organization_id = $1 AND id = $2"

PAGE: Final = f"SELECT {_COLUMNS} FROM api_keys"

REVOKE: Final = f"""
UPDATE api_keys SET revoked_at = now(), revoke_reason = 'revoked', sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING {_COLUMNS}"""

REVOKE_BY: Final = f"""
UPDATE api_keys SET revoked_at = now(), revoke_reason = 'creator_changed', sequence = sequence + 1
WHERE organization_id = $1 AND created_by = $2 AND revoked_at IS NULL RETURNING {_COLUMNS}"""

# No sequence is counted up: when a key was used is the gateway's word, and no part of what auth tells of it.
USED: Final = """
UPDATE api_keys k SET used_at = t.used_at
FROM (SELECT org, id, max(used_at) AS used_at FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[])
      AS u (org, id, used_at) GROUP BY org, id) AS t
WHERE k.organization_id = t.org AND k.id = t.id AND (k.used_at IS NULL OR k.used_at < t.used_at)"""


async def insert(
    tx: Transaction,
    organization_id: UUID,
    key_id: UUID,
    *,
    name: str,
    hint: str,
    verifier: bytes,
    scopes: Sequence[str],
    role: str,
    created_by: UUID,
    expires_at: datetime | None,
    requests_per_hour: int | None,
) -> ApiKey:
    """A new one."""
    who = (organization_id, key_id, name, hint, verifier, list(scopes), role, created_by)
    row = await tx.fetchrow(INSERT, *who, expires_at, requests_per_hour)
    assert row is not None
    return ApiKey(**row)


async def count(tx: Transaction, organization_id: UUID) -> int:
    """How many are good now."""
    found: int = await tx.fetchval(COUNT, organization_id)
    return found


async def read(tx: Transaction, organization_id: UUID, key_id: UUID) -> ApiKey | None:
    """One of them."""
    return _read(await tx.fetchrow(READ, organization_id, key_id))


async def page(
    tx: Transaction, organization_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[ApiKey]:
    """`limit` of them in this order, after the one with the key `after`."""
    rows = await order.read(tx, PAGE, Where(organization_id), after, limit)
    return [ApiKey(**row) for row in rows]


async def revoke(tx: Transaction, organization_id: UUID, key_id: UUID) -> ApiKey | None:
    """End one; None where it had been ended, or there is none."""
    return _read(await tx.fetchrow(REVOKE, organization_id, key_id))


async def revoke_by(tx: Transaction, organization_id: UUID, user_id: UUID) -> list[ApiKey]:
    """End all that a person made."""
    return [ApiKey(**row) for row in await tx.fetch(REVOKE_BY, organization_id, user_id)]


async def note_used(tx: Transaction, uses: Sequence[tuple[UUID, UUID, datetime]]) -> None:
    """Keep when keys were last used: (organization, key, moment)."""
    orgs, ids, moments = (list(column) for column in zip(*uses, strict=True))
    await tx.execute(USED, orgs, ids, moments)


def _read(row: Row | None) -> ApiKey | None:
    return None if row is None else ApiKey(**row)
