# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Invitations and the hashes of their tokens."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where

from flotilla_auth.domain.entities import Invitation

_COLUMNS: Final = (
    "organization_id, id, email, role, invited_by, state, expires_at, created_at, sequence, contact_id"
)

MAKE_ROOM: Final = """
UPDATE invitations SET state = 'revoked', sequence = sequence + 1
WHERE organization_id = $1 AND email = $2 AND state = 'pending' AND expires_at <= now()"""

INSERT: Final = f"""
INSERT INTO invitations (organization_id, id, email, role, invited_by, state, expires_at, contact_id)
VALUES ($1, $2, $3, $4, $5, 'pending', now() + $6::interval, $7)
ON CONFLICT (organization_id, email) WHERE state = 'pending' DO NOTHING RETURNING {_COLUMNS}"""

INSERT_HASH: Final = """
INSERT INTO invitation_tokens (token_hash, organization_id, invitation_id) VALUES ($1, $2, $3)"""

# Held, so that whoever takes the invitation back finds this token, or this finds it taken back.
INSERT_MAILED: Final = """
INSERT INTO invitation_tokens (token_hash, organization_id, invitation_id, mailed)
SELECT $3, organization_id, id, true FROM invitations
WHERE organization_id = $1 AND id = $2 AND state = 'pending' AND expires_at > now() FOR SHARE
RETURNING token_hash"""

RECENT: Final = """
SELECT count(*) FROM invitations
WHERE organization_id = $1 AND email = $2 AND created_at > now() - interval '1 hour'"""

FIND_HASH: Final = (
    "SELECT organization_id, invitation_id, mailed FROM invitation_tokens WHERE token_hash = $1"
)

READ: Final = f"SELECT {_COLUMNS} FROM invitations WHERE organization_id = $1 AND id = $2"

LOCK: Final = f"{READ} FOR NO KEY UPDATE"

PAGE: Final = f"SELECT {_COLUMNS} FROM invitations"

SET_STATE: Final = f"""
UPDATE invitations SET state = $3, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state = 'pending' RETURNING {_COLUMNS}"""

REVOKE_BY: Final = f"""
UPDATE invitations SET state = 'revoked', sequence = sequence + 1
WHERE organization_id = $1 AND invited_by = $2 AND state = 'pending' RETURNING {_COLUMNS}"""

DELETE_HASHES: Final = """
DELETE FROM invitation_tokens WHERE organization_id = $1 AND invitation_id = ANY($2)"""


async def insert(
    tx: Transaction,
    organization_id: UUID,
    invitation_id: UUID,
    *,
    email: str,
    role: str,
    invited_by: UUID,
    lifetime: timedelta,
    token_hash: bytes | None,
    contact_id: UUID | None = None,
) -> Invitation | None:
    """A new one; None where one for this address is pending. Without a hash its token comes to be with its mail."""
    await tx.execute(MAKE_ROOM, organization_id, email)
    row = await tx.fetchrow(
        INSERT, organization_id, invitation_id, email, role, invited_by, lifetime, contact_id
    )
    if row is not None and token_hash is not None:
        await tx.execute(INSERT_HASH, token_hash, organization_id, invitation_id)
    return _read(row)


async def add_mailed_token(
    tx: Transaction, organization_id: UUID, invitation_id: UUID, token_hash: bytes
) -> bool:
    """One that is about to be mailed to the invited address; False where nobody may accept it any more."""
    return await tx.fetchval(INSERT_MAILED, organization_id, invitation_id, token_hash) is not None


async def recent(tx: Transaction, organization_id: UUID, email: str) -> int:
    """How many were made for this address within the hour."""
    count: int = await tx.fetchval(RECENT, organization_id, email)
    return count


async def find_token(db: Database, token_hash: bytes) -> Row | None:
    """`organization_id`, `invitation_id`, and whether it was `mailed` to the invited address."""
    return await db.fetchrow(FIND_HASH, token_hash)


async def read(tx: Transaction, organization_id: UUID, invitation_id: UUID) -> Invitation | None:
    """One of them."""
    return _read(await tx.fetchrow(READ, organization_id, invitation_id))


async def lock(tx: Transaction, organization_id: UUID, invitation_id: UUID) -> Invitation | None:
    """The same, held against being accepted or revoked twice."""
    return _read(await tx.fetchrow(LOCK, organization_id, invitation_id))


async def page(
    tx: Transaction, organization_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Invitation]:
    """`limit` of them in this order, after the one with the key `after`."""
    rows = await order.read(tx, PAGE, Where(organization_id), after, limit)
    return [Invitation(**row) for row in rows]


async def settle(
    tx: Transaction, organization_id: UUID, invitation_id: UUID, state: str
) -> Invitation | None:
    """End a pending one, its token with it; None where it is not pending."""
    row = await tx.fetchrow(SET_STATE, organization_id, invitation_id, state)
    if row is not None:
        await tx.execute(DELETE_HASHES, organization_id, [invitation_id])
    return _read(row)


async def revoke_by(tx: Transaction, organization_id: UUID, user_id: UUID) -> list[Invitation]:
    """Revoke all that a person made and nobody has accepted."""
    revoked = [Invitation(**row) for row in await tx.fetch(REVOKE_BY, organization_id, user_id)]
    await tx.execute(DELETE_HASHES, organization_id, [invitation.id for invitation in revoked])
    return revoked


def _read(row: Row | None) -> Invitation | None:
    return None if row is None else Invitation(**row)
