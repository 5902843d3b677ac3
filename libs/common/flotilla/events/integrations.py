"""Events of integrations: connected channels and calendars, and what comes and goes through them."""

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
    """What the organization calls it; of a person's own, which may name them, the adapter again."""
    state: str
    """`connected`, `disconnected` or `failed`."""
    reason: str | None = None
    kind: str = "channel"
    """`channel`, through which people write, or `calendar`."""
    user_id: UUID | None = None
    """Whose own it is, as a person's calendar; null where it is the organization's."""


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
    chat: Personal
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
    permanent: bool = False
    """Of a failure: the person can't be reached there, now or later. They blocked the sender, or there is no such
    address."""


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


class AttendeeProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is invited to a calendar event."""

    name: Personal = None
    email: Personal = None


Attendees = Annotated[list[AttendeeProfile] | None, PERSONAL]
"""Personal as a whole."""


@_event("calendar.event.requested.v1", subject="request_id", person=("contact_id", "request_id"), wish=True)
class CalendarEventRequested(Event, frozen=True, kw_only=True):
    """A booking shall stand in a person's calendar. Answered by `calendar.event.created` or `calendar.event.failed`.

    The event has the id of the request, so that who asked can take it back before it has heard of it.
    """

    request_id: UUID
    booking_id: UUID
    account_id: UUID
    """The connected calendar."""
    contact_id: UUID | None
    """With whom."""
    title: Personal
    starts_at: Moment
    ends_at: Moment
    time_zone: str
    """IANA name; the zone of whose calendar it is."""
    attendees: Attendees


@_event("calendar.event.created.v1", subject="event_id")
class CalendarEventCreated(Event, frozen=True, kw_only=True):
    """It stands in the calendar."""

    event_id: UUID
    """The `request_id` of the wish."""
    booking_id: UUID
    account_id: UUID
    external_id: str
    """The calendar's own id of it."""
    starts_at: Moment
    ends_at: Moment


@_event("calendar.event.failed.v1", subject="request_id")
class CalendarEventFailed(Event, frozen=True, kw_only=True):
    """It does not stand there and will not; the reason says why."""

    request_id: UUID
    booking_id: UUID
    account_id: UUID
    reason: str
    """`cancelled`, `unknown_account`, `not_connected`, or what the calendar said."""


@_event("calendar.event.delete.requested.v1", subject="request_id", wish=True)
class CalendarEventDeleteRequested(Event, frozen=True, kw_only=True):
    """A calendar event, or the wish for one, is taken back. Answered by `calendar.event.deleted` or
    `calendar.event.delete.failed`.

    Where `cancels` has not come yet, it is refused when it does, and the answer is `calendar.event.deleted` as well.
    """

    request_id: UUID
    cancels: UUID
    """The `request_id` of the `calendar.event.requested` to undo."""
    reason: str


@_event("calendar.event.deleted.v1", subject="event_id")
class CalendarEventDeleted(Event, frozen=True, kw_only=True):
    """It is gone, or it will never be."""

    event_id: UUID
    request_id: UUID
    """The `calendar.event.delete.requested` that this answers."""
    reason: str


@_event("calendar.event.delete.failed.v1", subject="request_id")
class CalendarEventDeleteFailed(Event, frozen=True, kw_only=True):
    """It still stands there; the reason says why."""

    request_id: UUID
    cancels: UUID
    reason: str


@_event("calendar.event.changed.v1", subject="item_id")
class CalendarEventChanged(Event, frozen=True, kw_only=True):
    """Somebody else put, moved or deleted something in a connected calendar. Says when, never what: it is theirs."""

    item_id: UUID
    account_id: UUID
    """The connected calendar."""
    user_id: UUID | None
    """Whose it is."""
    external_id: str
    """The calendar's own id of it."""
    event_id: UUID | None
    """The `request_id` of the `calendar.event.requested` that it came of; null where it is not ours."""
    booking_id: UUID | None
    """The booking that stood there, where it is ours."""
    what: str
    """`created`, `updated` or `deleted`."""
    starts_at: Moment | None
    ends_at: Moment | None
    """Null where its times can't be read."""
    all_day: bool = False
    recurring: bool = False
    """The times are of its first."""
    busy: bool = True
    status: str = "confirmed"
    """`confirmed`, `tentative` or `cancelled`."""


@_event("partner.subscription.changed.v1", subject="subscription_id")
class PartnerSubscriptionChanged(Event, frozen=True, kw_only=True):
    """What a partner's program is told of was made, changed, paused, resumed, disabled or removed.

    Without its address and its secrets: only people who administer partners read those.
    """

    subscription_id: UUID
    kind: str
    """`amqp` or `webhook`."""
    name: str
    types: list[str]
    """Types of events, or `<entity>.*` for all of an entity."""
    filters: dict[str, list[str | int | bool]]
    """`{field: [values]}`: each of these fields has one of its values."""
    personal_data: bool
    """Whether fields that say something of a person are filled in."""
    state: str
    """`preparing`, `active`, `paused`, `disabled` or `deleted`."""
    reason: str | None = None
    """Why it was disabled, for people to read."""
