"""Rows of messages. Who changes one has locked its conversation, or locks messages in the order of (org, id)."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

from flotilla_messaging.domain.messages import Message, MessageState

INSERT: Final = """
INSERT INTO messages (organization_id, id, conversation_id, position, direction, state, identity_id, author,
                      draft_id, external_id, reason, sent_at, state_at, responds_to_at, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::uuid[],
                     $8::text[], $9::uuid[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[],
                     $14::timestamptz[], $15::bigint[])"""

# The messages that stand already, and the contacts of the identities: what a batch must know before it places.
KNOWN: Final = """
SELECT t.id, m.id IS NOT NULL AS stands, i.contact_id
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (org, id, identity)
LEFT JOIN messages m ON m.organization_id = t.org AND m.id = t.id
LEFT JOIN identities i ON i.organization_id = t.org AND i.id = t.identity"""

STANDING: Final = """
SELECT m.organization_id, m.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN messages m ON m.organization_id = t.org AND m.id = t.id"""

LOCK: Final = """
SELECT m.* FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN messages m ON m.organization_id = t.org AND m.id = t.id
ORDER BY m.organization_id, m.id FOR UPDATE OF m"""

CONVERSATIONS_OF: Final = """
SELECT DISTINCT m.organization_id, m.conversation_id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN messages m ON m.organization_id = t.org AND m.id = t.id"""

ANSWERED_SINCE: Final = """
SELECT m.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN messages m ON m.organization_id = t.org AND m.id = t.id
WHERE EXISTS (
    SELECT FROM messages later
    WHERE later.organization_id = m.organization_id AND later.conversation_id = m.conversation_id
      AND later.position > m.position AND later.direction = 'out' AND later.state <> 'failed')"""

SAVE: Final = """
UPDATE messages m SET state = t.state, state_at = t.state_at, external_id = t.external_id, reason = t.reason,
                      sequence = t.sequence
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::bigint[])
     AS t (organization_id, id, state, state_at, external_id, reason, sequence)
WHERE m.organization_id = t.organization_id AND m.id = t.id"""

READ: Final = "SELECT * FROM messages WHERE organization_id = $1 AND id = $2"

EDIT: Final = """
UPDATE messages SET body_id = $3, edited_at = $4, deleted_at = $5, sequence = $6
WHERE organization_id = $1 AND id = $2"""

# Bodies go by their message's id, or by one of their own where the message was edited.
BODIES_STANDING: Final = """
SELECT m.organization_id, t.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN messages m ON m.organization_id = t.org AND m.id = t.id WHERE m.deleted_at IS NULL
UNION ALL
SELECT m.organization_id, t.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN messages m ON m.organization_id = t.org AND m.body_id = t.id WHERE m.deleted_at IS NULL"""

_FIELDS: Final = tuple(Message.__slots__)
_WRITTEN: Final = tuple(name for name in _FIELDS if name not in ("body_id", "edited_at", "deleted_at"))
"""What a new message has."""
_SAVED: Final = ("organization_id", "id", "state", "state_at", "external_id", "reason", "sequence")


def message_of(row: Row) -> Message:
    """The message of a row."""
    return Message(**{**{name: row[name] for name in _FIELDS}, "state": MessageState(row["state"])})


async def insert(tx: Transaction, messages: Sequence[Message]) -> None:
    """Write new messages in one statement."""
    if messages:
        await tx.execute(INSERT, *([getattr(each, name) for each in messages] for name in _WRITTEN))


async def standing(tx: Transaction, keys: Sequence[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Which of these (organization, id) are messages already."""
    orgs, ids = map(list, zip(*keys, strict=True))
    return {(row["organization_id"], row["id"]) for row in await tx.fetch(STANDING, orgs, ids)}


async def bodies_standing(tx: Transaction, keys: Sequence[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Which of these (organization, body) belong to a message that says something."""
    orgs, ids = map(list, zip(*keys, strict=True))
    return {(row["organization_id"], row["id"]) for row in await tx.fetch(BODIES_STANDING, orgs, ids)}


async def edit(tx: Transaction, message: Message) -> None:
    """Write what an edit or a deletion changed."""
    await tx.execute(
        EDIT,
        message.organization_id,
        message.id,
        message.body_id,
        message.edited_at,
        message.deleted_at,
        message.sequence,
    )


async def lock(tx: Transaction, keys: Sequence[tuple[UUID, UUID]]) -> list[Message]:
    """The messages with these (organization, id), locked; missing ones are missing."""
    orgs, ids = map(list, zip(*keys, strict=True))
    return [message_of(row) for row in await tx.fetch(LOCK, orgs, ids)]


async def save(tx: Transaction, messages: Sequence[Message]) -> None:
    """Write the new states of messages that this transaction has locked."""
    if messages:
        await tx.execute(SAVE, *([getattr(each, name) for each in messages] for name in _SAVED))


async def read(tx: Transaction, org: UUID, message_id: UUID) -> Message | None:
    """One message as it stands."""
    row = await tx.fetchrow(READ, org, message_id)
    return message_of(row) if row else None
