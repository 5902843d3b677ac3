"""Events of messaging: what people of an organization add to a conversation, and what becomes of its messages."""

from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, Personal, event

_event = partial(event, owner="messaging")


class ThreadMessage(Event, frozen=True, kw_only=True):
    """A message in its conversation, whoever wrote it and to whom."""

    message_id: UUID
    conversation_id: UUID
    position: int
    direction: str
    """`in`, `out`, or `note`: for people of the organization only."""
    channel: str
    identity_id: UUID
    contact_id: UUID | None
    author: str | None
    """Null: the customer."""


@_event("message.noted.v1", subject="message_id", person=("contact_id", "identity_id"))
class MessageNoted(ThreadMessage, frozen=True, kw_only=True):
    """A note stands in the conversation, where the customer does not see it."""

    text: Personal
    mentions: list[UUID]
    """The people it is addressed to."""
    noted_at: Moment


@_event("message.edited.v1", subject="message_id", person=("contact_id", "identity_id"))
class MessageEdited(ThreadMessage, frozen=True, kw_only=True):
    """It says something else now. What went out over a channel cannot be edited: only notes are, so far."""

    text: Personal
    edited_by: str | None
    """Null: the customer."""
    edited_at: Moment


@_event("message.deleted.v1", subject="message_id")
class MessageDeleted(ThreadMessage, frozen=True, kw_only=True):
    """It keeps its place, and says nothing any more. What went out over a channel stays: only notes are deleted."""

    deleted_by: str
    deleted_at: Moment


@_event("attachment.stored.v1", subject="attachment_id", person=("attachment_id",))
class AttachmentStored(Event, frozen=True, kw_only=True):
    """A file of a conversation is there, whole."""

    attachment_id: UUID
    conversation_id: UUID
    message_id: UUID | None
    """The message or note it belongs to."""
    name: Personal
    content_type: str
    """By its bytes, whatever its name says."""
    size: int
    """Bytes."""
    sha256: str
    """Of its bytes, lower-case hex."""
    stored_by: str
    stored_at: Moment
