"""What goes over the generic channel: `{"type", "timestamp", "data"}`, as Standard Webhooks advises."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

TEXT_LIMIT = 8000


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("A text holds no NUL character.")
    return text


Short = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_nul)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT), AfterValidator(_no_nul)]


class Incoming(BaseModel):
    """Unknown fields are ignored, so that a sender may add its own."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SenderIn(Incoming):
    """The customer, as the sender knows them."""

    address: Short
    name: Short | None = None
    username: Short | None = None
    phone: Short | None = None
    email: Short | None = None
    language: Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z0-9-]+$")] | None = None


class MessageIn(Incoming):
    """A customer's message."""

    id: Short
    """The sender's own id of it, the same when it is sent again."""
    chat: Short
    sender: SenderIn
    text: Text
    sent_at: AwareDatetime


class ReceiptIn(Incoming):
    """What became of a message that was sent through this channel."""

    message_id: UUID
    occurred_at: AwareDatetime


class MessageReceivedIn(Incoming):
    """A customer wrote."""

    type: Literal["message.received"]
    data: MessageIn


class ReceiptReceivedIn(Incoming):
    """A message was delivered or read."""

    type: Literal["message.delivered", "message.read"]
    data: ReceiptIn


class TyperIn(Incoming):
    """Who is writing."""

    sender: SenderIn


class TypingIn(Incoming):
    """A customer is writing: said again every few seconds while they do."""

    type: Literal["typing"]
    data: TyperIn


Hook = Annotated[MessageReceivedIn | ReceiptReceivedIn | TypingIn, Field(discriminator="type")]


class MessageOut(BaseModel):
    """A message for the customer."""

    message_id: UUID
    chat: str
    text: str


class TypingOut(BaseModel):
    """Somebody is writing to the customer of this chat."""

    chat: str


class Outgoing(BaseModel):
    """What is posted to the organization's address."""

    type: Literal["message.send", "typing", "ping"]
    timestamp: datetime
    data: MessageOut | TypingOut | None = None


class TakenIn(Incoming):
    """What the receiver may answer: its own id of the message."""

    id: Short | None = None
