"""The conversations of clients, and what was said in them."""

from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_messaging.domain.messages import Message
from flotilla_messaging.store.messages import message_of

CONVERSATIONS: Final = """
SELECT c.id, c.channel, c.state, c.opened_at, c.last_message_at FROM conversations c
JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id
WHERE c.organization_id = $1
    AND i.contact_id = ANY ((SELECT contact_ids FROM client_contacts
                             WHERE organization_id = $1 AND user_id = $2)::uuid[])
    AND ($3::timestamptz IS NULL OR (c.last_message_at, c.id) < ($3, $4::uuid))
ORDER BY c.last_message_at DESC, c.id DESC LIMIT $5"""
OWN: Final = """
SELECT EXISTS (
    SELECT FROM conversations c
    JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id
    JOIN client_contacts l ON l.organization_id = c.organization_id AND i.contact_id = ANY (l.contact_ids)
    WHERE c.organization_id = $1 AND c.id = $2 AND l.user_id = $3)"""

# Notes are colleagues' own, and what was not sent was not said.
MESSAGES: Final = """
SELECT * FROM messages WHERE organization_id = $1 AND conversation_id = $2 AND position < $3
    AND state IN ('received', 'sent', 'delivered', 'read')
ORDER BY position DESC LIMIT $4"""


async def conversations(
    tx: Transaction, org: UUID, user_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """Of the contacts that somebody is, the latest first, behind the one with the key `after`."""
    at, id_ = after or (None, None)
    return await tx.fetch(CONVERSATIONS, org, user_id, at, id_, limit)


async def is_own(tx: Transaction, org: UUID, conversation_id: UUID, user_id: UUID) -> bool:
    """Whether a conversation is with a contact that they are."""
    return bool(await tx.fetchval(OWN, org, conversation_id, user_id))


async def messages(
    tx: Transaction, org: UUID, conversation_id: UUID, before: int, limit: int
) -> list[Message]:
    """What the two sides said to each other before a position, the newest first."""
    return [message_of(row) for row in await tx.fetch(MESSAGES, org, conversation_id, before, limit)]
