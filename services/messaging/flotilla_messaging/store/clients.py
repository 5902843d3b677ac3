"""The conversations of clients, and what was said in them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_messaging.domain.messages import Message
from flotilla_messaging.store.messages import message_of

CONVERSATIONS: Final = """
SELECT c.id, c.channel, c.state, c.opened_at, c.last_message_at FROM conversations c
JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id"""
THEIRS: Final = """
i.contact_id = ANY ((SELECT contact_ids FROM client_contacts WHERE organization_id = {} AND user_id = {})::uuid[])"""
OWN: Final = """
SELECT EXISTS (
    SELECT FROM conversations c
    JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id
    JOIN client_contacts l ON l.organization_id = c.organization_id AND i.contact_id = ANY (l.contact_ids)
    WHERE c.organization_id = $1 AND c.id = $2 AND l.user_id = $3)"""

MESSAGES: Final = "SELECT * FROM messages"
# Notes are colleagues' own, and what was not sent was not said.
SAID: Final = "state IN ('received', 'sent', 'delivered', 'read')"


async def conversations(
    tx: Transaction, org: UUID, user_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """Of the contacts that somebody is, in this order (of `c`), after the one with the key `after`."""
    where = Where(org, table="c").also(THEIRS, org, user_id)
    return await order.read(tx, CONVERSATIONS, where, after, limit)


async def is_own(tx: Transaction, org: UUID, conversation_id: UUID, user_id: UUID) -> bool:
    """Whether a conversation is with a contact that they are."""
    return bool(await tx.fetchval(OWN, org, conversation_id, user_id))


async def messages(
    tx: Transaction,
    org: UUID,
    conversation_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Message]:
    """What the two sides said to each other, in this order, after the one with the key `after`."""
    where = Where(org).equal({"conversation_id": conversation_id}).also(SAID)
    return [message_of(row) for row in await order.read(tx, MESSAGES, where, after, limit)]
