"""What became of conversations and of drafts: told on, and summarised."""

from collections.abc import Sequence
from typing import Final

from flotilla.bus.declare import projection, reaction
from flotilla.bus.envelope import Received
from flotilla.events.ai import DraftSent
from flotilla.events.messaging import ConversationAssigned, ConversationResolved, MessageSent
from flotilla.store.postgres import Transaction

from flotilla_ai import summarizing
from flotilla_ai.events import AUDIENCE, draft_event
from flotilla_ai.store import analyses, assignees, drafts

LANE: Final = "outcomes"


@reaction(MessageSent, lane=LANE)
async def follow_drafts(tx: Transaction, batch: Sequence[Received[MessageSent]]) -> None:
    """Say of each draft that the channel took it; messages that people wrote themselves are nobody's draft."""
    told = {(event.org, event.data.draft_id): event for event in batch if event.data.draft_id is not None}
    if not told:
        return
    noted = [
        (org, draft_id, event.data.message_id, event.data.occurred_at)
        for (org, draft_id), event in told.items()
        if draft_id is not None
    ]
    for row in await drafts.sent(tx, noted):
        event = told[row["organization_id"], row["id"]]
        sent = draft_event(DraftSent, row, sent_message_id=row["sent_message_id"], sent_at=row["sent_at"])
        tx.emit(sent, org=event.org, sequence=row["sequence"], cause=event, audience=AUDIENCE)


@reaction(ConversationResolved, lane=LANE)
async def summarize_resolved(tx: Transaction, batch: Sequence[Received[ConversationResolved]]) -> None:
    """Have what is done summarised."""
    latest = await analyses.latest(tx, [(event.org, event.data.conversation_id) for event in batch])
    for event in batch:
        row = latest.get((event.org, event.data.conversation_id))
        if row is not None:
            summarizing.ask(tx, event.org, event.data.conversation_id, row["position"], event.cause)


@projection(ConversationAssigned, lane=LANE, tables=("conversation_assignees",))
async def keep_assignees(tx: Transaction, batch: Sequence[Received[ConversationAssigned]]) -> None:
    """Know who has a conversation: theirs are its drafts, those that there are as well."""
    ordered = sorted(batch, key=lambda event: event.sequence)
    latest = {(event.org, event.data.conversation_id): event for event in ordered}
    await assignees.keep(
        tx, [(*key, event.sequence, event.data.assignee_id) for key, event in latest.items()]
    )
