"""Pages of the inbox and of a conversation, each read along one index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_messaging.domain.messages import Message
from flotilla_messaging.store.messages import message_of

LAST_ID: Final = UUID(int=(1 << 128) - 1)

_INBOX: Final = """
SELECT c.*, i.contact_id, i.name AS customer_name FROM conversations c
LEFT JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id
WHERE c.organization_id = $1 AND (c.last_message_at, c.id) < (coalesce($2, 'infinity'::timestamptz), $3::uuid)
{filters}
ORDER BY c.last_message_at DESC, c.id DESC LIMIT $4"""

_FILTERS: Final = {
    "state": "AND c.state = ${number}",
    "channel": "AND c.channel = ${number}",
    "assignee_id": "AND c.assignee_id = ${number}",
    "contact_id": """AND c.identity_id IN (
        SELECT id FROM identities WHERE organization_id = $1 AND contact_id = ${number})""",
}
_UNASSIGNED: Final = "AND c.assignee_id IS NULL"

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

    state: str | None = None
    channel: str | None = None
    assignee_id: UUID | None = None
    contact_id: UUID | None = None
    unassigned: bool = False


async def inbox(
    tx: Transaction, org: UUID, wanted: InboxFilter, after: Sequence[Any] | None, limit: int
) -> list[Row]:
    """Conversations with the newest message first, after (last_message_at, id); one more than `limit`."""
    at, conversation_id = after or (None, LAST_ID)
    arguments: list[Any] = [org, at, conversation_id, limit + 1]
    filters = [_UNASSIGNED] if wanted.unassigned else []
    for name, sql in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            arguments.append(value)
            filters.append(sql.format(number=len(arguments)))
    return await tx.fetch(_INBOX.format(filters="\n".join(filters)), *arguments)


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
