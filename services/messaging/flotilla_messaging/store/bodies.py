"""Bodies of messages in the document store: written before their rows, read after them.

A document is `{_id: message id, organization_id, text, sender, written_at}`; of a message that was edited, one more
for each edit, with an id of its own and `message_id`. `written_at` is when it was last
written or asked to be written; the sweep of bodies without a message goes by it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.events.integrations import SenderProfile
from flotilla.store.documents import Collection

SWEPT_UNTIL: Final = "SELECT swept_until FROM body_sweep"
SWEEP_ON: Final = """
INSERT INTO body_sweep (swept_until) VALUES ($1)
ON CONFLICT (one) DO UPDATE SET swept_until = excluded.swept_until"""


@dataclass(frozen=True, slots=True)
class Body:
    """What a message says and who says so."""

    organization_id: UUID
    message_id: UUID
    text: str | None
    sender: SenderProfile | None = None
    edits: UUID | None = None
    """The message that it is a new text of."""


def collection(app: App) -> Collection:
    """Where bodies are."""
    assert app.documents is not None
    return app.documents.collection("bodies")


async def write(app: App, bodies: Iterable[Body]) -> None:
    """Write bodies, once each; repeating it only says that they are still wanted."""
    now = datetime.now(UTC)
    documents = {
        body.message_id: {
            "_id": body.message_id,
            "organization_id": body.organization_id,
            "text": body.text,
            "sender": msgspec.to_builtins(body.sender) if body.sender else None,
            "written_at": now,
            **({"message_id": body.edits} if body.edits else {}),
        }
        for body in bodies
    }
    await collection(app).insert_many_once(list(documents.values()), touch="written_at")


async def texts(app: App, org: UUID, ids: Sequence[UUID | None]) -> dict[UUID, dict[str, Any]]:
    """The bodies of these messages, by id, in one query."""
    wanted = [message_id for message_id in ids if message_id is not None]
    return await collection(app).find_by_ids(org, wanted) if wanted else {}
