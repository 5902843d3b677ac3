"""Pages of the inbox and of a conversation, each read along one index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.order import Order, both
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_messaging.domain.messages import Message
from flotilla_messaging.store.messages import message_of

_INBOX: Final = """
SELECT c.*, i.contact_id, i.name AS customer_name FROM conversations c
LEFT JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id"""
ORDERS: Final = both(
    "last_message_at",
    Order(("c.last_message_at", "c.id"), (datetime, UUID), key=lambda row: last_moment(row)),
)

ONE: Final = """
SELECT c.*, i.contact_id, i.name AS customer_name FROM conversations c
LEFT JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id
WHERE c.organization_id = $1 AND c.id = $2"""

OLDER: Final = """
SELECT * FROM messages WHERE organization_id = $1 AND conversation_id = $2 AND position < $3
ORDER BY position DESC LIMIT $4"""
NEWER: Final = """
SELECT * FROM messages WHERE organization_id = $1 AND conversation_id = $2 AND position > $3
ORDER BY position LIMIT $4"""
END: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """Which conversations; None where it doesn't matter."""

    state: Sequence[str] | None = None
    channel: Sequence[str] | None = None
    assignee_id: UUID | None = None
    contact_id: UUID | None = None
    unassigned: bool = False


async def inbox(
    tx: Transaction,
    org: UUID,
    wanted: InboxFilter,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Conversations that fit, in this order (of `c`), after the one with the key `after`; one more than `limit`."""
    where = Where(org, table="c").equal(
        {"state": wanted.state, "channel": wanted.channel, "assignee_id": wanted.assignee_id}
    )
    if wanted.unassigned:
        where.also("c.assignee_id IS NULL")
    if wanted.contact_id is not None:
        where.also(
            "c.identity_id IN (SELECT id FROM identities WHERE organization_id = {} AND contact_id = {})",
            org,
            wanted.contact_id,
        )
    return await order.read(tx, _INBOX, where, after, limit + 1)


async def one(tx: Transaction, org: UUID, conversation_id: UUID) -> Row | None:
    """One conversation as the inbox shows it."""
    return await tx.fetchrow(ONE, org, conversation_id)


async def history(
    tx: Transaction, org: UUID, conversation_id: UUID, *, newer: bool, after: int | None, limit: int
) -> list[Message]:
    """Messages of a conversation from a position on, towards the newer or the older; one more than `limit`."""
    start = after if after is not None else (0 if newer else END)
    rows = await tx.fetch(NEWER if newer else OLDER, org, conversation_id, start, limit + 1)
    return [message_of(row) for row in rows]


def last_moment(row: Row) -> tuple[datetime, UUID]:
    """What the inbox is sorted by."""
    return row["last_message_at"], row["id"]
