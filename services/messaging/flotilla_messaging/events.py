"""What messaging tells of its conversations and messages: rows into events."""

from typing import Any, Final

from flotilla.events.messaging import (
    Conversation as ConversationEvent,
)
from flotilla.events.messaging import (
    MessageDelivered,
    MessageFailed,
    MessageRead,
    MessageSendRequested,
    MessageSent,
    MessageUnconfirmed,
    OutgoingMessage,
    Tracking,
)

from flotilla_messaging.domain.conversations import Conversation, changes
from flotilla_messaging.domain.messages import Message, MessageState

AUDIENCE: Final = "org"
"""Everybody who works in the inbox."""

FACTS: Final[dict[MessageState, type[OutgoingMessage]]] = {
    MessageState.SENT: MessageSent,
    MessageState.FAILED: MessageFailed,
    MessageState.UNKNOWN: MessageUnconfirmed,
    MessageState.DELIVERED: MessageDelivered,
    MessageState.READ: MessageRead,
}


def conversation_event(
    kind: type[ConversationEvent], now: Conversation, before: Conversation | None = None
) -> ConversationEvent:
    """The conversation's state, and what changed of it."""
    return kind(
        conversation_id=now.id,
        channel=now.channel,
        account_id=now.account_id,
        identity_id=now.identity_id,
        contact_id=now.contact_id,
        state=now.state,
        assignee_id=now.assignee_id,
        snoozed_until=now.snoozed_until,
        opened_at=now.opened_at,
        resolved_at=now.resolved_at,
        ai_enabled=now.ai_enabled,
        changed=changes(before, now) if before else {},
    )


def state_event(conversation: Conversation, message: Message, before: Message) -> OutgoingMessage:
    """That an outgoing message reached its state."""
    return FACTS[message.state](
        **_outgoing(conversation, message), changed={"state": [before.state, message.state]}
    )


def send_requested(
    conversation: Conversation, message: Message, text: str, tracking: Tracking | None = None
) -> MessageSendRequested:
    """The wish that the channel sends it; `conversation` is as it stands after placing it."""
    return MessageSendRequested(
        **_outgoing(conversation, message),
        chat=conversation.chat,
        text=text,
        send_number=conversation.sends,
        tracking=tracking,
    )


def _outgoing(conversation: Conversation, message: Message) -> dict[str, Any]:
    return {
        "message_id": message.id,
        "conversation_id": conversation.id,
        "position": message.position,
        "account_id": conversation.account_id,
        "channel": conversation.channel,
        "identity_id": conversation.identity_id,
        "contact_id": conversation.contact_id,
        "author": message.author or "",
        "draft_id": message.draft_id,
        "state": message.state,
        "reason": message.reason,
        "external_id": message.external_id,
        "queued_at": message.sent_at,
        "occurred_at": message.state_at,
        "responds_to_at": message.responds_to_at,
    }
