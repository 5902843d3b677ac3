"""What the inbox says and takes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from flotilla.store.postgres import Row
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from flotilla_messaging.domain.conversations import DEFAULT_TEXT_LIMIT
from flotilla_messaging.domain.messages import Message


def _sendable(text: str) -> str:
    if not text.strip():
        raise ValueError("There is nothing to send.")
    if "\x00" in text:
        raise ValueError("A text holds no NUL character.")
    return text


Text = Annotated[str, Field(min_length=1, max_length=DEFAULT_TEXT_LIMIT), AfterValidator(_sendable)]


class Input(BaseModel):
    """A body; a field that isn't known is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class ReplyIn(Input):
    """A message to the customer."""

    text: Text = Field(description="Plain text; a channel may take less (Telegram 4,096 characters).")


class NoteIn(Input):
    """A note for people of the organization."""

    text: Text
    mentions: list[UUID] = Field(
        default_factory=list, max_length=20, description="Active members, who are told of it."
    )


class NoteEdit(Input):
    """What the note says instead."""

    text: Text


class ConversationPatch(Input):
    """What to change; what is not named stays."""

    assignee_id: UUID | None = Field(default=None, description="An active member, or null for nobody.")
    ai_enabled: bool | None = Field(default=None, description="Whether the AI may propose replies.")


class SnoozeIn(Input):
    """Put aside until then."""

    until: AwareDatetime


class ResolutionIn(Input):
    """What a person decides of a message whose sending is not known, or has failed."""

    outcome: Literal["sent", "failed", "send_again"]


class SenderOut(BaseModel):
    """Who wrote, as the channel knows them."""

    address: str | None = None
    name: str | None = None
    username: str | None = None
    phone: str | None = None
    email: str | None = None
    language: str | None = None


class LastMessageOut(BaseModel):
    """The newest message, to show in a list."""

    id: UUID
    at: datetime
    text: str | None


class ConversationOut(BaseModel):
    """A conversation."""

    id: UUID
    channel: str
    account_id: UUID
    identity_id: UUID
    contact_id: UUID | None
    customer_name: str | None = Field(description="As the channel knows the customer.")
    state: Literal["open", "snoozed", "resolved"]
    assignee_id: UUID | None
    snoozed_until: datetime | None
    ai_enabled: bool
    opened_at: datetime
    resolved_at: datetime | None
    unanswered_since: datetime | None = Field(
        description="When the oldest message came that nobody answered."
    )
    last_position: int
    escalation_id: UUID | None = Field(description="What of it waits for a person, in the queue.")
    sequence: int = Field(description="Counts its changes; also its ETag.")

    @classmethod
    def of(cls, row: Row) -> "ConversationOut":
        """From its row."""
        return cls(**{name: row[name] for name in cls.model_fields})


class InboxConversationOut(ConversationOut):
    """A conversation and its newest message."""

    last_message: LastMessageOut | None

    @classmethod
    def shown(cls, row: Row, bodies: Mapping[UUID, Mapping[str, Any]]) -> "InboxConversationOut":
        """From its row and the body of its last message."""
        last = row["last_message_id"]
        text = bodies.get(last, {}).get("text") if last else None
        message = LastMessageOut(id=last, at=row["last_message_at"], text=text) if last else None
        return cls(**{name: row[name] for name in ConversationOut.model_fields}, last_message=message)


class MessageOut(BaseModel):
    """A message; `text` is null where it was erased or deleted."""

    id: UUID
    conversation_id: UUID
    position: int
    direction: Literal["in", "out", "note"]
    state: Literal["received", "queued", "unknown", "sent", "delivered", "read", "failed", "noted"]
    author: str | None
    draft_id: UUID | None
    sender: SenderOut | None
    text: str | None
    sent_at: datetime
    state_at: datetime
    reason: str | None
    external_id: str | None
    edited_at: datetime | None
    deleted_at: datetime | None

    @classmethod
    def of(cls, message: Message, body: Mapping[str, Any] | None) -> "MessageOut":
        """From its row and its body."""
        shown = {name: getattr(message, name) for name in cls.model_fields if name not in ("sender", "text")}
        said = body or {}
        sender = said.get("sender")
        return cls(**shown, text=said.get("text"), sender=SenderOut(**sender) if sender else None)
