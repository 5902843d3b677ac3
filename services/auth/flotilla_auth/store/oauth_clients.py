# ruff: noqa: S608 - constants of this file are put together, nothing else
"""OAuth clients, and their secrets as hashes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where

from flotilla_auth.domain.oauth_clients import OAuthClient

_COLUMNS: Final = (
    "organization_id, id, sequence, name, scopes, role, created_by, created_at, secret_rotated_at,"
    " revoked_at, revoke_reason"
)

INSERT: Final = f"""
INSERT INTO oauth_clients (organization_id, id, name, scopes, role, created_by)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_COLUMNS}"""

COUNT: Final = "SELECT count(*) FROM oauth_clients WHERE organization_id = $1 AND revoked_at IS NULL"

READ: Final = f"SELECT {_COLUMNS} FROM oauth_clients WHERE organization_id = $1 AND id = $2"

HOLD: Final = f"{READ} FOR SHARE"

PAGE: Final = f"SELECT {_COLUMNS} FROM oauth_clients"

ROTATE: Final = f"""
UPDATE oauth_clients SET secret_rotated_at = now(), sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING {_COLUMNS}"""

REVOKE: Final = f"""
UPDATE oauth_clients SET revoked_at = now(), revoke_reason = 'revoked', sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING {_COLUMNS}"""

REVOKE_BY: Final = f"""
UPDATE oauth_clients SET revoked_at = now(), revoke_reason = 'creator_changed', sequence = sequence + 1
WHERE organization_id = $1 AND created_by = $2 AND revoked_at IS NULL RETURNING {_COLUMNS}"""

# However many times it is rotated within that time, no secret gets more of it.
RETIRE_SECRETS: Final = """
UPDATE oauth_client_secrets SET expires_at = least(expires_at, now() + $3::interval)
WHERE organization_id = $1 AND client_id = $2"""

INSERT_HASH: Final = """
INSERT INTO oauth_client_secrets (secret_hash, organization_id, client_id) VALUES ($1, $2, $3)"""

FIND_HASH: Final = """
SELECT organization_id, client_id FROM oauth_client_secrets
WHERE secret_hash = $1 AND (expires_at IS NULL OR expires_at > now())"""

DELETE_SECRETS: Final = """
DELETE FROM oauth_client_secrets WHERE organization_id = $1 AND client_id = ANY($2)"""

FORGET_EXPIRED: Final = "DELETE FROM oauth_client_secrets WHERE expires_at < now()"


async def insert(
    tx: Transaction,
    organization_id: UUID,
    client_id: UUID,
    *,
    name: str,
    scopes: Sequence[str],
    role: str,
    created_by: UUID,
    secret_hash: bytes,
) -> OAuthClient:
    """A new one, with its secret."""
    row = await tx.fetchrow(INSERT, organization_id, client_id, name, list(scopes), role, created_by)
    await tx.execute(INSERT_HASH, secret_hash, organization_id, client_id)
    assert row is not None
    return OAuthClient(**row)


async def count(tx: Transaction, organization_id: UUID) -> int:
    """How many are good."""
    found: int = await tx.fetchval(COUNT, organization_id)
    return found


async def read(tx: Transaction, organization_id: UUID, client_id: UUID) -> OAuthClient | None:
    """One of them."""
    return _read(await tx.fetchrow(READ, organization_id, client_id))


async def hold(tx: Transaction, organization_id: UUID, client_id: UUID) -> OAuthClient | None:
    """The same, held against being revoked: what is said of it next is said before that."""
    return _read(await tx.fetchrow(HOLD, organization_id, client_id))


async def page(
    tx: Transaction, organization_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[OAuthClient]:
    """`limit` of them in this order, after the one with the key `after`."""
    rows = await order.read(tx, PAGE, Where(organization_id), after, limit)
    return [OAuthClient(**row) for row in rows]


async def rotate(
    tx: Transaction, organization_id: UUID, client_id: UUID, secret_hash: bytes, grace: timedelta
) -> OAuthClient | None:
    """Another secret; those before are good for `grace` more. None where it was revoked, or there is none."""
    row = await tx.fetchrow(ROTATE, organization_id, client_id)
    if row is not None:
        await tx.execute(RETIRE_SECRETS, organization_id, client_id, grace)
        await tx.execute(INSERT_HASH, secret_hash, organization_id, client_id)
    return _read(row)


async def revoke(tx: Transaction, organization_id: UUID, client_id: UUID) -> OAuthClient | None:
    """End one; None where it had been ended, or there is none."""
    revoked = _read(await tx.fetchrow(REVOKE, organization_id, client_id))
    if revoked is not None:
        await tx.execute(DELETE_SECRETS, organization_id, [client_id])
    return revoked


async def revoke_by(tx: Transaction, organization_id: UUID, user_id: UUID) -> list[OAuthClient]:
    """End all that a person made."""
    revoked = [OAuthClient(**row) for row in await tx.fetch(REVOKE_BY, organization_id, user_id)]
    await tx.execute(DELETE_SECRETS, organization_id, [client.id for client in revoked])
    return revoked


async def find_secret(db: Database, secret_hash: bytes) -> tuple[UUID, UUID] | None:
    """Its organization and client, while it is good."""
    row = await db.fetchrow(FIND_HASH, secret_hash)
    return None if row is None else (row["organization_id"], row["client_id"])


async def forget_expired(db: Database) -> None:
    """Secrets that others took over from."""
    await db.execute(FORGET_EXPIRED)


def _read(row: Row | None) -> OAuthClient | None:
    return None if row is None else OAuthClient(**row)
