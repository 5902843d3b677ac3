"""Summaries of conversations."""

from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

ADD: Final = """
INSERT INTO summaries (organization_id, id, conversation_id, position, text, language, intents, messages, provider,
                       identity_id, contact_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (organization_id, conversation_id, position, provider) DO NOTHING RETURNING *"""

READ: Final = "SELECT * FROM summaries WHERE organization_id = $1 AND id = $2"

LIST: Final = """
SELECT * FROM summaries WHERE organization_id = $1 AND conversation_id = $2 AND ($3::uuid IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4"""

POSITION: Final = "SELECT max(position) FROM analyses WHERE organization_id = $1 AND conversation_id = $2"


async def add(
    tx: Transaction,
    org: UUID,
    conversation_id: UUID,
    *,
    position: int,
    text: str,
    language: str,
    intents: list[str],
    messages: int,
    provider: str,
    identity_id: UUID,
    contact_id: UUID | None,
) -> Row | None:
    """Keep one; None where the conversation was summarised as it stands already."""
    id_ = tx.app.new_id()
    return await tx.fetchrow(
        ADD,
        org,
        id_,
        conversation_id,
        position,
        text,
        language,
        intents,
        messages,
        provider,
        identity_id,
        contact_id,
    )


async def read(tx: Transaction, org: UUID, summary_id: UUID) -> Row | None:
    """One."""
    return await tx.fetchrow(READ, org, summary_id)


async def newest(
    tx: Transaction, org: UUID, conversation_id: UUID, after: UUID | None, limit: int
) -> list[Row]:
    """A conversation's, the newest first; one more than `limit`, where there are more."""
    return await tx.fetch(LIST, org, conversation_id, after, limit + 1)


async def position(tx: Transaction, org: UUID, conversation_id: UUID) -> int | None:
    """Of the newest message known; None where no customer wrote."""
    found: int | None = await tx.fetchval(POSITION, org, conversation_id)
    return found
