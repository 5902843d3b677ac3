"""Events of integrations: connected channels and what comes and goes through them."""

from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec

from flotilla.events.base import PERSONAL, Event, Moment, Personal, event

_event = partial(event, owner="integrations")


class Account(Event, frozen=True, kw_only=True):
    """The state of a connected account, without its credentials."""

    account_id: UUID
    connector: str
    """The adapter: `telegram`, `generic`."""
    name: str
    state: str
    """`connected`, `disconnected` or `failed`."""
    reason: str | None = None


@_event("integration.connected.v1", subject="account_id")
class IntegrationConnected(Account, frozen=True, kw_only=True):
    """An account was connected and its health check passed."""


@_event("integration.disconnected.v1", subject="account_id")
class IntegrationDisconnected(Account, frozen=True, kw_only=True):
    """A person disconnected it."""


@_event("integration.failed.v1", subject="account_id")
class IntegrationFailed(Account, frozen=True, kw_only=True):
    """Its vendor refuses it; the reason says why."""


class SenderProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote, as the channel knows them."""

    address: Personal
    """The channel's own stable id of the person: a Telegram user id, an e-mail address, a number."""
    name: Personal = None
    username: Personal = None
    phone: Personal = None
    email: Personal = None
    language: str | None = None


Sender = Annotated[SenderProfile | None, PERSONAL]
"""Personal as a whole."""


@_event("channel.message.received.v1", subject="message_id", person=("identity_id",))
class ChannelMessageReceived(Event, frozen=True, kw_only=True):
    """A customer's message reached a connected account; the webhook was answered after this committed."""

    message_id: UUID
    """Derived from the channel's own id of the message, so that a repeat is the same message."""
    account_id: UUID
    channel: str
    identity_id: UUID
    """Derived from (channel, account, sender's address): the person until a contact is known."""
    chat: str
    """The channel's own id of the thread; replies go there."""
    external_id: str
    """The channel's own id of the message."""
    sender: Sender
    text: Personal
    sent_at: Moment


class Delivery(Event, frozen=True, kw_only=True):
    """What became of a message that messaging asked to send."""

    message_id: UUID
    account_id: UUID
    channel: str
    external_id: str | None = None
    """The channel's own id, once it took the message."""
    reason: str | None = None
    """Why it failed or is not known, for people to read."""
    occurred_at: Moment


@_event("channel.message.sent.v1", subject="message_id")
class ChannelMessageSent(Delivery, frozen=True, kw_only=True):
    """The channel took the message. Answers `message.send.requested`."""


@_event("channel.message.failed.v1", subject="message_id")
class ChannelMessageFailed(Delivery, frozen=True, kw_only=True):
    """The channel refused the message. Answers `message.send.requested`."""


@_event("channel.message.unconfirmed.v1", subject="message_id")
class ChannelMessageUnconfirmed(Delivery, frozen=True, kw_only=True):
    """The answer of the channel was lost. No answer yet: sent or failed follows once it is resolved."""


@_event("channel.receipt.received.v1", subject="message_id")
class ChannelReceiptReceived(Delivery, frozen=True, kw_only=True):
    """The channel says the message was delivered or read. May come before `channel.message.sent`."""

    receipt: str
    """`delivered` or `read`."""
