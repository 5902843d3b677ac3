"""Rows of attachments."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_messaging.domain.attachments import Attachment

ADD: Final = """
INSERT INTO attachments (organization_id, id, conversation_id, message_id, name, created_by)
SELECT c.organization_id, $2, c.id, $4, $5, $6 FROM conversations c WHERE c.organization_id = $1 AND c.id = $3
RETURNING *"""

READ: Final = "SELECT * FROM attachments WHERE organization_id = $1 AND id = $2"

STORED: Final = """
UPDATE attachments SET state = 'stored', object = $3, content_type = $4, size = $5, sha256 = $6, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state = 'uploading' RETURNING *"""

ABANDON: Final = (
    "DELETE FROM attachments WHERE organization_id = $1 AND id = $2 AND state = 'uploading' RETURNING *"
)

LIST: Final = "SELECT * FROM attachments"

CONVERSATION: Final = "SELECT true FROM conversations WHERE organization_id = $1 AND id = $2"

OF_CONVERSATION: Final = """
SELECT true FROM messages WHERE organization_id = $1 AND conversation_id = $2 AND id = $3"""


async def add(
    tx: Transaction, org: UUID, id_: UUID, conversation_id: UUID, message_id: UUID | None, name: str, by: str
) -> Attachment | None:
    """A new one, without bytes yet; None where there is no such conversation."""
    return _of(await tx.fetchrow(ADD, org, id_, conversation_id, message_id, name, by))


async def read(tx: Transaction, org: UUID, attachment_id: UUID) -> Attachment | None:
    """One."""
    return _of(await tx.fetchrow(READ, org, attachment_id))


async def stored(
    tx: Transaction, before: Attachment, object_: str, content_type: str, size: int, sha256: str
) -> Attachment | None:
    """All of it has come; None where it had already."""
    row = await tx.fetchrow(STORED, before.organization_id, before.id, object_, content_type, size, sha256)
    return _of(row)


async def abandon(tx: Transaction, org: UUID, attachment_id: UUID) -> Attachment | None:
    """Remove one whose bytes never came; None where they did."""
    return _of(await tx.fetchrow(ABANDON, org, attachment_id))


async def listing(
    tx: Transaction,
    org: UUID,
    conversation_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Attachment]:
    """What is stored of a conversation, in this order, after the one with the key `after`."""
    where = Where(org).equal({"conversation_id": conversation_id, "state": "stored"})
    return [Attachment(**row) for row in await order.read(tx, LIST, where, after, limit)]


async def belongs(tx: Transaction, org: UUID, conversation_id: UUID, message_id: UUID) -> bool:
    """Whether that message is in that conversation."""
    return bool(await tx.fetchval(OF_CONVERSATION, org, conversation_id, message_id))


def _of(row: Row | None) -> Attachment | None:
    return None if row is None else Attachment(**row)
