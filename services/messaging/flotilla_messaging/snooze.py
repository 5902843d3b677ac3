"""The end of a snooze."""

from datetime import datetime
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.events.messaging import ConversationReopened
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.conversations import Conversation, State
from flotilla_messaging.events import AUDIENCE, conversation_event
from flotilla_messaging.store import conversations

KIND = "snooze_ended"


class Snooze(msgspec.Struct, frozen=True):
    """Which conversation, and until when it was put aside."""

    conversation_id: UUID
    until: datetime


def wake_at_end(tx: Transaction, conversation: Conversation) -> None:
    """Set the timer of a snoozed conversation.

    Each snooze has a timer of its own, and none is taken back: one that is out of date does nothing when it
    fires, and no transaction that holds a conversation waits for a timer that waits for the conversation.
    """
    assert conversation.snoozed_until is not None
    tx.set_timer(
        KIND,
        f"{conversation.id}:{conversation.sequence}",
        conversation.snoozed_until,
        Snooze(conversation.id, conversation.snoozed_until),
        org=conversation.organization_id,
    )


async def end_snooze(tx: Transaction, job: Job) -> None:
    """Reopen the conversation if it still sleeps by this snooze."""
    snooze: Snooze = job.payload
    for before in await conversations.lock(tx, [(job.org, snooze.conversation_id)]):
        if before.state is not State.SNOOZED or before.snoozed_until != snooze.until:
            return
        after = before.reopened()
        await conversations.save(tx, [after])
        tx.emit(
            conversation_event(ConversationReopened, after, before),
            org=job.org,
            sequence=after.sequence,
            audience=AUDIENCE,
        )


snooze_ended = TimerKind(KIND, Snooze, end_snooze)
