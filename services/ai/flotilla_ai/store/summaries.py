"""Summaries of conversations."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

ADD: Final = """
INSERT INTO summaries (organization_id, id, conversation_id, position, text, language, intents, messages, provider,
                       identity_id, contact_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (organization_id, conversation_id, position, provider) DO NOTHING RETURNING *"""

READ: Final = "SELECT * FROM summaries WHERE organization_id = $1 AND id = $2"

LIST: Final = "SELECT * FROM summaries"

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


async def listing(
    tx: Transaction,
    org: UUID,
    conversation_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """A conversation's few, in this order, after the one with the key `after`."""
    where = Where(org).equal({"conversation_id": conversation_id})
    return await order.read(tx, LIST, where, after, limit)


async def position(tx: Transaction, org: UUID, conversation_id: UUID) -> int | None:
    """Of the newest message known; None where no customer wrote."""
    found: int | None = await tx.fetchval(POSITION, org, conversation_id)
    return found
