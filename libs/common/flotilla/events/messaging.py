"""Events of messaging: conversations and the messages in them."""

from functools import partial
from uuid import UUID

import msgspec

from flotilla.events.base import Event, Moment, Personal, event
from flotilla.events.integrations import Sender

_event = partial(event, owner="messaging")


class Conversation(Event, frozen=True, kw_only=True):
    """The state of a conversation."""

    conversation_id: UUID
    channel: str
    account_id: UUID
    identity_id: UUID
    contact_id: UUID | None
    """Null until crm has resolved the person."""
    state: str
    """`open`, `snoozed` or `resolved`."""
    assignee_id: UUID | None
    snoozed_until: Moment | None
    opened_at: Moment
    resolved_at: Moment | None
    ai_enabled: bool
    escalation_id: UUID | None = None
    """Which escalation of it waits for a person; null where none does."""


@_event("conversation.opened.v1", subject="conversation_id")
class ConversationOpened(Conversation, frozen=True, kw_only=True):
    """A customer's first message on a channel opened it."""


@_event("conversation.assigned.v1", subject="conversation_id")
class ConversationAssigned(Conversation, frozen=True, kw_only=True):
    """It was given to a person, or to nobody."""


@_event("conversation.assign.requested.v1", subject="request_id", wish=True)
class ConversationAssignRequested(Event, frozen=True, kw_only=True):
    """A conversation shall be given to a person, or to nobody. Answered by `conversation.assigned`, also where it is
    theirs already, or by `conversation.assign.failed`.
    """

    request_id: UUID
    conversation_id: UUID
    assignee_id: UUID | None


@_event("conversation.assign.failed.v1", subject="request_id")
class ConversationAssignFailed(Event, frozen=True, kw_only=True):
    """It stays whose it is; the reason says why."""

    request_id: UUID
    conversation_id: UUID
    reason: str
    """`unknown_conversation` or `unknown_assignee`."""


@_event(
    "conversation.escalate.requested.v1", subject="request_id", person=("contact_id", "request_id"), wish=True
)
class ConversationEscalateRequested(Event, frozen=True, kw_only=True):
    """A person shall take a conversation. Answered by `conversation.escalated`, also where one is waited for already,
    or by `conversation.escalate.failed`.
    """

    request_id: UUID
    conversation_id: UUID
    contact_id: UUID | None = None
    reason: str
    """A slug: `asked_for_person`, `complaint`, …"""
    summary: Personal
    """What the person needs to know to take it."""
    priority: str = "normal"
    """`low`, `normal`, `high` or `urgent`."""
    team_id: UUID | None = None
    """Null: anybody."""


@_event("conversation.escalated.v1", subject="conversation_id", person=("contact_id", "identity_id"))
class ConversationEscalated(Conversation, frozen=True, kw_only=True):
    """It waits for a person, in the queue; told again where it is asked for again."""

    reason: str
    summary: Personal
    priority: str
    """`low`, `normal`, `high` or `urgent`."""
    team_id: UUID | None
    escalated_by: str
    """`user:<id>`, `ai:<agent>`, `rule:<id>` or a service that asked first."""


@_event("conversation.escalate.failed.v1", subject="request_id")
class ConversationEscalateFailed(Event, frozen=True, kw_only=True):
    """Nobody is asked for; the reason says why."""

    request_id: UUID
    conversation_id: UUID
    reason: str
    """`unknown_conversation`, `unknown_team` or `unknown_priority`."""


@_event("conversation.snoozed.v1", subject="conversation_id")
class ConversationSnoozed(Conversation, frozen=True, kw_only=True):
    """It was put aside until `snoozed_until`."""


@_event("conversation.resolved.v1", subject="conversation_id")
class ConversationResolved(Conversation, frozen=True, kw_only=True):
    """A person said it is done."""


@_event("conversation.reopened.v1", subject="conversation_id")
class ConversationReopened(Conversation, frozen=True, kw_only=True):
    """The customer wrote again, the snooze ended, or a person took it up again."""


@_event("conversation.updated.v1", subject="conversation_id")
class ConversationUpdated(Conversation, frozen=True, kw_only=True):
    """Something else about it changed: the AI was switched on or off for it, or whom it waited for took care of it."""


@_event("message.received.v1", subject="message_id", person=("contact_id", "identity_id"))
class MessageReceived(Event, frozen=True, kw_only=True):
    """A customer's message stands in its conversation."""

    message_id: UUID
    conversation_id: UUID
    position: int
    """From 1, without gaps, in its conversation."""
    account_id: UUID
    channel: str
    identity_id: UUID
    contact_id: UUID | None
    assignee_id: UUID | None
    sender: Sender
    text: Personal
    sent_at: Moment
    ai_enabled: bool
    first: bool
    """Whether it opened the conversation."""


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses that belong to one message, for channels that have a place for them: mail."""

    open_url: str | None = None
    """A picture: whoever loads it has opened the message."""
    unsubscribe_url: str | None = None
    """Takes a POST that unsubscribes with one click (RFC 8058: `List-Unsubscribe`, `List-Unsubscribe-Post`)."""


class OutgoingMessage(Event, frozen=True, kw_only=True):
    """The state of a message to a customer."""

    message_id: UUID
    conversation_id: UUID
    position: int
    account_id: UUID
    channel: str
    identity_id: UUID
    contact_id: UUID | None
    author: str
    """`user:<id>` who wrote or approved it, `ai:<agent>` on autopilot, `rule:<id>` or a service that asked."""
    draft_id: UUID | None
    state: str
    """`queued`, `sent`, `delivered`, `read`, `failed`, or `unknown` while the channel's answer is lost."""
    reason: str | None
    external_id: str | None
    queued_at: Moment
    occurred_at: Moment
    """When this state was reached."""
    responds_to_at: Moment | None
    """When the oldest message of the customer that it answers came; null where it answers none."""


@_event("message.send.requested.v1", subject="message_id", person=("contact_id", "identity_id"))
class MessageSendRequested(OutgoingMessage, frozen=True, kw_only=True):
    """A message shall go out. Answered by `channel.message.sent` or `channel.message.failed`."""

    chat: Personal
    text: Personal
    send_number: int | None = None
    """Counts the sends of its conversation from 1 without gaps: the channel is given them in this order."""
    tracking: Tracking | None = None


@_event("message.sent.v1", subject="message_id")
class MessageSent(OutgoingMessage, frozen=True, kw_only=True):
    """The channel took it."""


@_event("message.failed.v1", subject="message_id")
class MessageFailed(OutgoingMessage, frozen=True, kw_only=True):
    """The channel refused it."""


@_event("message.unconfirmed.v1", subject="message_id")
class MessageUnconfirmed(OutgoingMessage, frozen=True, kw_only=True):
    """Nobody knows yet whether it went out."""


@_event("message.delivered.v1", subject="message_id")
class MessageDelivered(OutgoingMessage, frozen=True, kw_only=True):
    """It reached the customer's device."""


@_event("message.read.v1", subject="message_id")
class MessageRead(OutgoingMessage, frozen=True, kw_only=True):
    """The customer has read it."""


@_event("message.requested.v1", subject="request_id", person=("contact_id", "request_id"), wish=True)
class MessageRequested(Event, frozen=True, kw_only=True):
    """Somebody shall be written to, in their conversation. Answered by `message.sent` or `message.failed` of the
    message that has the request's id, or by `message.refused` where there will be none.
    """

    request_id: UUID
    conversation_id: UUID | None
    """Null: the one in which this contact wrote or was written to last."""
    contact_id: UUID | None
    text: Personal
    purpose: str = "service"
    """`service` for what the person needs to be told, `promotion` for what nobody wrote to them by hand: that is
    refused where they have unsubscribed."""
    tracking: Tracking | None = None
    channels: list[str] | None = None
    """By these alone: a wish to write by another is refused, `no_consent`. Null: by any."""


@_event("message.refused.v1", subject="request_id")
class MessageRefused(Event, frozen=True, kw_only=True):
    """No message was made of the wish; the reason says why."""

    request_id: UUID
    conversation_id: UUID | None
    reason: str
    """`unknown_conversation`, `unsubscribed`, `no_consent` for its channel, `empty`, or `too_long` for its channel."""


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """A window of the week in which somebody is there."""

    weekday: int
    """ISO 8601: 1 is Monday."""
    opens: str
    closes: str
    """`HH:MM`, in the inbox's time zone."""


class Inbox(Event, frozen=True, kw_only=True):
    """The state of an inbox."""

    inbox_id: UUID
    name: str
    channels: list[str]
    """Accounts of these belong to it where nobody says otherwise: `telegram`, `email`, …; none: of every channel."""
    time_zone: str
    """IANA."""
    hours: list[Hours]
    """None: always."""
    ai_mode: str
    """`off`, `draft` (a person approves) or `autopilot`."""
    default: bool
    """Whether accounts that name none belong to it."""


@_event("inbox.requested.v1", subject="request_id", wish=True)
class InboxRequested(Event, frozen=True, kw_only=True):
    """An organization that begins shall have its first inbox. Answered by `inbox.created` or `inbox.failed`.

    The inbox has the id of the request; where there is a default one already, that one answers.
    """

    request_id: UUID
    name: str
    time_zone: str


@_event("inbox.created.v1", subject="inbox_id")
class InboxCreated(Inbox, frozen=True, kw_only=True):
    """There is a place for conversations; told again where the one that is there answers another wish."""


@_event("inbox.updated.v1", subject="inbox_id")
class InboxUpdated(Inbox, frozen=True, kw_only=True):
    """Its name, channels, hours or what the AI may do changed."""


@_event("inbox.failed.v1", subject="request_id")
class InboxFailed(Event, frozen=True, kw_only=True):
    """It was not made."""

    request_id: UUID
    reason: str
    """`cancelled`: it had been taken back before it came."""


@_event("inbox.delete.requested.v1", subject="request_id", wish=True)
class InboxDeleteRequested(Event, frozen=True, kw_only=True):
    """An inbox, or the wish for one, is taken back. Answered by `inbox.deleted` or `inbox.delete.failed`.

    Where `cancels` has not come yet, it is refused when it does, and the answer is `inbox.deleted` as well.
    """

    request_id: UUID
    cancels: UUID
    """The `request_id` of the `inbox.requested` to undo."""
    reason: str


@_event("inbox.deleted.v1", subject="inbox_id")
class InboxDeleted(Event, frozen=True, kw_only=True):
    """It is gone; or it will never be."""

    inbox_id: UUID
    request_id: UUID
    """The `inbox.delete.requested` that this answers."""
    reason: str


@_event("inbox.delete.failed.v1", subject="request_id")
class InboxDeleteFailed(Event, frozen=True, kw_only=True):
    """It stays."""

    request_id: UUID
    cancels: UUID
    reason: str
    """`in_use`: somebody has changed it to their needs."""
