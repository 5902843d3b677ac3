"""Messages: their places in a conversation, and the states of those that go out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from flotilla_messaging.domain.conversations import Conversation


class MessageState(StrEnum):
    """`received` of what came in; the others of what goes out."""

    RECEIVED = "received"
    QUEUED = "queued"
    UNKNOWN = "unknown"
    """It was handed to the channel, whose answer was lost."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    NOTED = "noted"
    """Of a note, which goes nowhere."""


_RANK: Final = {
    MessageState.QUEUED: 0,
    MessageState.UNKNOWN: 1,
    MessageState.FAILED: 2,
    MessageState.SENT: 3,
    MessageState.DELIVERED: 4,
    MessageState.READ: 5,
}


def moves(old: MessageState, new: MessageState) -> bool:
    """Whether a fact brings a message from `old` to `new`: states only move forward, by rank.

    `failed` ranks below `sent`: a refusal ends a message that is queued or unknown and never undoes one that
    the channel took; but a later proof that the channel did take it (a person's word, a receipt) outranks the
    refusal. Back to `queued` leads only a person's decision to send again.
    """
    return _RANK[new] > _RANK[old]


@dataclass(frozen=True, slots=True)
class Message:
    """A message without its body."""

    organization_id: UUID
    id: UUID
    conversation_id: UUID
    position: int
    direction: str
    state: MessageState
    identity_id: UUID
    author: str | None
    draft_id: UUID | None
    external_id: str | None
    reason: str | None
    sent_at: datetime
    """When the customer sent it, or when it was queued for them."""
    state_at: datetime
    responds_to_at: datetime | None
    sequence: int
    body_id: UUID | None = None
    """The body it has since it was edited."""
    edited_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def text_id(self) -> UUID | None:
        """Under which id its body is; None where it was deleted."""
        return None if self.deleted_at else self.body_id or self.id

    def edited(self, body_id: UUID, at: datetime) -> Self:
        """It says something else."""
        return replace(self, body_id=body_id, edited_at=at, sequence=self.sequence + 1)

    def deleted(self, at: datetime) -> Self:
        """It says nothing any more."""
        return replace(self, deleted_at=at, sequence=self.sequence + 1)

    def reached(
        self, state: MessageState, at: datetime, *, external_id: str | None = None, reason: str | None = None
    ) -> Self:
        """The message in its next state; `moves` says whether it may."""
        return replace(
            self,
            state=state,
            state_at=at,
            external_id=external_id or self.external_id,
            reason=reason,
            sequence=self.sequence + 1,
        )


@dataclass(frozen=True, slots=True)
class Arrival:
    """A customer's message that has no place yet."""

    id: UUID
    identity_id: UUID
    external_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """A message to a customer that has no place yet."""

    id: UUID
    author: str
    draft_id: UUID | None
    queued_at: datetime


def place_arrivals(
    conversation: Conversation, arrivals: Sequence[Arrival]
) -> tuple[Conversation, list[Message]]:
    """Give arrivals the next positions, in order of (sent_at, id); the customer's writing reopens it."""
    placed = []
    for offset, arrival in enumerate(sorted(arrivals, key=lambda each: (each.sent_at, each.id)), start=1):
        placed.append(
            Message(
                organization_id=conversation.organization_id,
                id=arrival.id,
                conversation_id=conversation.id,
                position=conversation.last_position + offset,
                direction="in",
                state=MessageState.RECEIVED,
                identity_id=arrival.identity_id,
                author=None,
                draft_id=None,
                external_id=arrival.external_id,
                reason=None,
                sent_at=arrival.sent_at,
                state_at=arrival.sent_at,
                responds_to_at=None,
                sequence=1,
            )
        )
    if not placed:
        return conversation, placed
    after = replace(
        conversation.reopened(),
        last_position=placed[-1].position,
        last_message_id=placed[-1].id,
        last_message_at=max(conversation.last_message_at, placed[-1].sent_at),
        unanswered_since=conversation.unanswered_since or placed[0].sent_at,
    )
    return after, placed


def place_reply(conversation: Conversation, reply: Reply) -> tuple[Conversation, Message]:
    """Give a reply the next position and the next number of its conversation's sends.

    It answers all that the customer wrote before; the conversation stays open, snoozed or resolved as it is.
    """
    message = Message(
        organization_id=conversation.organization_id,
        id=reply.id,
        conversation_id=conversation.id,
        position=conversation.last_position + 1,
        direction="out",
        state=MessageState.QUEUED,
        identity_id=conversation.identity_id,
        author=reply.author,
        draft_id=reply.draft_id,
        external_id=None,
        reason=None,
        sent_at=reply.queued_at,
        state_at=reply.queued_at,
        responds_to_at=conversation.unanswered_since,
        sequence=1,
    )
    after = replace(
        conversation,
        last_position=message.position,
        last_message_id=message.id,
        last_message_at=max(conversation.last_message_at, reply.queued_at),
        unanswered_since=None,
        sends=conversation.sends + 1,
    )
    return after, message


def place_note(
    conversation: Conversation, note_id: UUID, author: str, at: datetime
) -> tuple[Conversation, Message]:
    """Give a note the next position. It answers nobody, and the inbox goes on showing what was said last."""
    message = Message(
        organization_id=conversation.organization_id,
        id=note_id,
        conversation_id=conversation.id,
        position=conversation.last_position + 1,
        direction="note",
        state=MessageState.NOTED,
        identity_id=conversation.identity_id,
        author=author,
        draft_id=None,
        external_id=None,
        reason=None,
        sent_at=at,
        state_at=at,
        responds_to_at=None,
        sequence=1,
    )
    return replace(conversation, last_position=message.position), message


def send_again(conversation: Conversation, message: Message, at: datetime) -> tuple[Conversation, Message]:
    """Queue it once more: a person decided so, knowing that it may have gone out before."""
    queued = replace(message.reached(MessageState.QUEUED, at), external_id=None)
    waits = conversation.unanswered_since
    answered = None if waits == message.responds_to_at else waits
    return replace(conversation, sends=conversation.sends + 1, unanswered_since=answered), queued
