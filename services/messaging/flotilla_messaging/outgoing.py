"""Queueing what shall go out: a place in its conversation, and the wish that the channel sends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.messaging import Tracking
from flotilla.store.postgres import Transaction

from flotilla_messaging.domain.conversations import Conversation
from flotilla_messaging.domain.messages import Message, Reply, place_reply
from flotilla_messaging.events import AUDIENCE, send_requested
from flotilla_messaging.metrics import MESSAGES
from flotilla_messaging.store import conversations, messages


class UnknownConversationError(LookupError):
    """There is no such conversation in that organization."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A reply to be queued, its text, and why where that isn't the transaction's own cause."""

    organization_id: UUID
    conversation_id: UUID
    reply: Reply
    text: str
    cause: Received[Any] | None = None
    tracking: Tracking | None = None


async def queue(tx: Transaction, wanted: Sequence[Queued]) -> list[Message]:
    """Place replies in the order given and ask for their sending; one that stands already is left out.

    UnknownConversationError where one has no conversation; nothing is queued then.
    """
    if not wanted:
        return []
    locked = await conversations.lock(tx, [(each.organization_id, each.conversation_id) for each in wanted])
    now: dict[tuple[UUID, UUID], Conversation] = {(each.organization_id, each.id): each for each in locked}
    standing = await messages.standing(tx, [(each.organization_id, each.reply.id) for each in wanted])
    placed: list[Message] = []
    for each in wanted:
        if (each.organization_id, each.reply.id) in standing:
            continue
        standing.add((each.organization_id, each.reply.id))
        placed.append(_place(tx, now, each))
    await messages.insert(tx, placed)
    await conversations.save(tx, [each for each in now.values() if each not in locked])
    return placed


def _place(tx: Transaction, now: dict[tuple[UUID, UUID], Conversation], wanted: Queued) -> Message:
    key = (wanted.organization_id, wanted.conversation_id)
    if key not in now:
        raise UnknownConversationError(f"conversation {wanted.conversation_id}")
    conversation, message = place_reply(now[key], wanted.reply)
    now[key] = conversation
    tx.after_commit(MESSAGES.labels(conversation.channel, "out").inc)
    tx.emit(
        send_requested(conversation, message, wanted.text, wanted.tracking),
        org=message.organization_id,
        sequence=message.sequence,
        cause=wanted.cause,
        audience=AUDIENCE,
    )
    return message
