"""Rows of conversations. Several are always locked in the order of (organization, id)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_messaging.domain.conversations import Conversation, State

# Two replicas may open the same conversation at once: the second waits for the first here, and finds it below.
OPEN: Final = """
INSERT INTO conversations (organization_id, id, account_id, channel, chat, identity_id, state, opened_at,
                           last_message_at)
SELECT org, id, account, channel, chat, identity, 'open', opened_at, opened_at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::timestamptz[])
     AS t (org, id, account, channel, chat, identity, opened_at)
ORDER BY org, account, chat
ON CONFLICT (organization_id, account_id, chat) DO NOTHING"""

# Joins with what is wanted, not `IN (SELECT …)`: that reads the whole table for a batch of some size.
LOCK_BY_CHAT: Final = """
SELECT c.*, i.contact_id FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS t (org, account, chat)
JOIN conversations c ON c.organization_id = t.org AND c.account_id = t.account AND c.chat = t.chat
LEFT JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id
ORDER BY c.organization_id, c.id FOR UPDATE OF c"""

LOCK_BY_ID: Final = """
SELECT c.*, i.contact_id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN conversations c ON c.organization_id = t.org AND c.id = t.id
LEFT JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id
ORDER BY c.organization_id, c.id FOR UPDATE OF c"""

READ: Final = """
SELECT c.*, i.contact_id FROM conversations c
LEFT JOIN identities i ON i.organization_id = c.organization_id AND i.id = c.identity_id
WHERE c.organization_id = $1 AND c.id = $2"""

SAVE: Final = """
UPDATE conversations c SET state = t.state, assignee_id = t.assignee_id, snoozed_until = t.snoozed_until,
    ai_enabled = t.ai_enabled, resolved_at = t.resolved_at, last_position = t.last_position,
    last_message_id = t.last_message_id, last_message_at = t.last_message_at,
    unanswered_since = t.unanswered_since, sends = t.sends, sequence = t.sequence,
    escalation_id = t.escalation_id
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::boolean[], $7::timestamptz[],
            $8::bigint[], $9::uuid[], $10::timestamptz[], $11::timestamptz[], $12::bigint[], $13::bigint[], $14::uuid[])
     AS t (organization_id, id, state, assignee_id, snoozed_until, ai_enabled, resolved_at, last_position,
           last_message_id, last_message_at, unanswered_since, sends, sequence, escalation_id)
WHERE c.organization_id = t.organization_id AND c.id = t.id"""

Thread = tuple[UUID, UUID, UUID, str, str, UUID, datetime]
"""Organization, id if it is new, account, channel, chat, identity, when it was opened."""

_FIELDS: Final = tuple(Conversation.__slots__)
_SAVED: Final = (
    "organization_id",
    "id",
    "state",
    "assignee_id",
    "snoozed_until",
    "ai_enabled",
    "resolved_at",
    "last_position",
    "last_message_id",
    "last_message_at",
    "unanswered_since",
    "sends",
    "sequence",
    "escalation_id",
)


def conversation_of(row: Row) -> Conversation:
    """The conversation of a row that has `contact_id` beside it."""
    fields = {name: row[name] for name in _FIELDS}
    return Conversation(**{**fields, "state": State(row["state"])})


async def open_by_chat(tx: Transaction, threads: Sequence[Thread]) -> list[Conversation]:
    """The conversations of these chats, locked; made where there were none, which is seldom."""
    found = await _lock_by_chat(tx, threads)
    standing = {(each.organization_id, each.account_id, each.chat) for each in found}
    missing = [thread for thread in threads if (thread[0], thread[2], thread[4]) not in standing]
    if missing:
        await tx.execute(OPEN, *map(list, zip(*missing, strict=True)))
        found += await _lock_by_chat(tx, missing)
    return found


async def _lock_by_chat(tx: Transaction, threads: Sequence[Thread]) -> list[Conversation]:
    orgs, _, accounts, _, chats, *_ = map(list, zip(*threads, strict=True))
    return [conversation_of(row) for row in await tx.fetch(LOCK_BY_CHAT, orgs, accounts, chats)]


async def lock(tx: Transaction, keys: Iterable[tuple[UUID, UUID]]) -> list[Conversation]:
    """The conversations with these (organization, id), locked; missing ones are missing."""
    pairs = sorted(set(keys))
    if not pairs:
        return []
    orgs, ids = map(list, zip(*pairs, strict=True))
    return [conversation_of(row) for row in await tx.fetch(LOCK_BY_ID, orgs, ids)]


async def read(tx: Transaction, org: UUID, conversation_id: UUID) -> Conversation | None:
    """One conversation as it stands."""
    row = await tx.fetchrow(READ, org, conversation_id)
    return conversation_of(row) if row else None


async def save(tx: Transaction, conversations: Sequence[Conversation]) -> None:
    """Write what has changed of conversations that this transaction has locked."""
    if conversations:
        columns = [[getattr(each, name) for each in conversations] for name in _SAVED]
        await tx.execute(SAVE, *columns)
