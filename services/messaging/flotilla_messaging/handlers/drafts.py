"""An approved draft becomes a reply."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from flotilla.app import App
from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.ai import DraftApproved
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.messages import Reply
from flotilla_messaging.outgoing import Queued, queue
from flotilla_messaging.store import bodies

Approved = Received[DraftApproved]


def message_id_of(draft: DraftApproved) -> UUID:
    """The reply of a draft: derived from it, so that a draft is sent once however often it is approved."""
    return derived_id(draft.generated_at, "draft", str(draft.draft_id))


async def write_bodies(app: App, batch: Sequence[Approved]) -> None:
    """Bodies first."""
    await bodies.write(app, (bodies.Body(e.org, message_id_of(e.data), e.data.text) for e in batch))


@reaction(DraftApproved, lane="drafts", prepare=write_bodies)
async def queue_drafts(tx: Transaction, batch: Sequence[Approved], _: None) -> None:
    """Queue each approved draft; one whose text was erased meanwhile has nothing to send."""
    await queue(tx, [_queued(event) for event in batch if event.data.text])


def _queued(event: Approved) -> Queued:
    draft = event.data
    reply = Reply(
        id=message_id_of(draft),
        author=draft.decided_by or f"ai:{draft.agent}",
        draft_id=draft.draft_id,
        queued_at=datetime.now(UTC),
    )
    return Queued(event.org, draft.conversation_id, reply, draft.text or "", event)
