"""Which provider an organization has chosen."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

READ: Final = "SELECT * FROM ai_settings WHERE organization_id = ANY($1)"

LOCK: Final = "SELECT * FROM ai_settings WHERE organization_id = $1 FOR UPDATE"

SAVE: Final = """
INSERT INTO ai_settings AS s (organization_id, provider, base_url, model, sealed_api_key, tone, updated_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (organization_id) DO UPDATE
SET provider = excluded.provider, base_url = excluded.base_url, model = excluded.model, tone = excluded.tone,
    sealed_api_key = excluded.sealed_api_key, sequence = s.sequence + 1, updated_at = now(),
    updated_by = excluded.updated_by
RETURNING *"""


async def read(tx: Transaction, orgs: Iterable[UUID]) -> dict[UUID, Row]:
    """Of those that have any."""
    return {row["organization_id"]: row for row in await tx.fetch(READ, list(orgs))}


async def lock(tx: Transaction, org: UUID) -> Row | None:
    """One organization's, held until the transaction ends."""
    return await tx.fetchrow(LOCK, org)


async def save(
    tx: Transaction,
    org: UUID,
    *,
    provider: str,
    base_url: str | None,
    model: str | None,
    sealed_api_key: bytes | None,
    tone: str,
    by: str,
) -> Row:
    """Set all of them."""
    row = await tx.fetchrow(SAVE, org, provider, base_url, model, sealed_api_key, tone, by)
    assert row is not None
    return row
