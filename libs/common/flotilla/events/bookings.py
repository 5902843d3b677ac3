"""Events of crm: bookings of people who work here, and the wish for one."""

from functools import partial
from uuid import UUID

import msgspec

from flotilla.events.base import Event, Moment, Personal, event

_event = partial(event, owner="crm")


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A time at which a host can be booked."""

    starts_at: Moment
    ends_at: Moment
    host_ids: list[UUID]
    """Those who are free then."""


class Booking(Event, frozen=True, kw_only=True):
    """The state of a booking."""

    booking_id: UUID
    host_id: UUID
    contact_id: UUID | None
    title: Personal
    starts_at: Moment
    ends_at: Moment
    time_zone: str
    """The host's, IANA."""
    state: str
    """`held` until all it needs is done, then `confirmed` or `failed`; `cancelled`."""
    reason: str | None
    """Why it failed or was cancelled."""


@_event("booking.requested.v1", subject="request_id", person=("contact_id", "request_id"), wish=True)
class BookingRequested(Event, frozen=True, kw_only=True):
    """A host shall be booked. Answered by `booking.confirmed` or `booking.failed`.

    The booking has the id of the request.
    """

    request_id: UUID
    contact_id: UUID
    host_ids: list[UUID]
    """One, or several of whom the one who was booked longest ago is taken; none named: any who can be booked."""
    starts_at: Moment
    first_free: bool = False
    """Take the first slot that is free from `starts_at` on, within two weeks; else the one that begins then."""
    title: Personal


@_event("booking.confirmed.v1", subject="booking_id", person=("contact_id", "booking_id"))
class BookingConfirmed(Booking, frozen=True, kw_only=True):
    """It stands: the slot is theirs, and it is in the host's calendar where that is connected."""


@_event("booking.failed.v1", subject="booking_id", person=("booking_id",))
class BookingFailed(Event, frozen=True, kw_only=True):
    """It does not stand, and the slot is free again where it had been held."""

    booking_id: UUID
    contact_id: UUID | None
    starts_at: Moment
    reason: str
    """`unknown_contact`, `unknown_host`, `not_offered`, `taken`, `cancelled`, or `calendar: <why>`."""
    free_slots: list[Slot]
    """What can be had instead: the next ones, where the slot was not to be had."""


@_event("booking.rescheduled.v1", subject="booking_id", person=("contact_id", "booking_id"))
class BookingRescheduled(Booking, frozen=True, kw_only=True):
    """It stands at another time, maybe with another host."""


@_event("booking.reschedule.failed.v1", subject="booking_id", person=("contact_id", "booking_id"))
class BookingRescheduleFailed(Booking, frozen=True, kw_only=True):
    """It was to be moved and stays where it was; `failure` says why."""

    failure: str


@_event("booking.cancelled.v1", subject="booking_id", person=("contact_id", "booking_id"))
class BookingCancelled(Booking, frozen=True, kw_only=True):
    """It will not take place; the slot is free again."""
