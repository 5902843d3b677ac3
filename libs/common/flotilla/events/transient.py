"""Events that are worth something now or never: told by `App.transient`, kept nowhere, in no archive."""

from uuid import UUID

from flotilla.events.base import Event, event


@event("channel.typing.v1", owner="integrations", subject="identity_id", transient=True)
class ChannelTyping(Event, frozen=True, kw_only=True):
    """A customer is writing. Again every few seconds while they do; nobody says that they stopped."""

    account_id: UUID
    channel: str
    identity_id: UUID
    """As in `channel.message.received`: with the account, it names the conversation."""


@event("conversation.typing.v1", owner="messaging", subject="conversation_id", transient=True)
class ConversationTyping(Event, frozen=True, kw_only=True):
    """A colleague is writing in a conversation: others see it, and so does the customer where the channel can."""

    conversation_id: UUID
    account_id: UUID
    channel: str
    chat: str
    """The channel's own id of the thread."""
    user_id: UUID
