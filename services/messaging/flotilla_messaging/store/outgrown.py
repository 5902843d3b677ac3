"""What hangs on messages that are older than they are kept."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

BODIES_OF: Final = """
SELECT body_id FROM messages WHERE organization_id = $1 AND id = ANY($2::uuid[]) AND body_id IS NOT NULL"""
FILES_OF: Final = "SELECT id FROM attachments WHERE organization_id = $1 AND message_id = ANY($2::uuid[])"
DROP_FILES: Final = "DELETE FROM attachments WHERE organization_id = $1 AND message_id = ANY($2::uuid[])"


async def held_of(tx: Transaction, org: UUID, ids: Sequence[UUID]) -> tuple[list[UUID], list[UUID]]:
    """Of these messages: the bodies that edits gave them, and the ids of the files that came with them."""
    edited = [row["body_id"] for row in await tx.fetch(BODIES_OF, org, list(ids))]
    attached = [row["id"] for row in await tx.fetch(FILES_OF, org, list(ids))]
    return edited, attached


async def drop_files(tx: Transaction, org: UUID, ids: Sequence[UUID]) -> None:
    """Remove the rows of their files."""
    await tx.execute(DROP_FILES, org, list(ids))
