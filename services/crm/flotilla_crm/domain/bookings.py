"""Bookings: what they are, what they say, and when somebody is reminded of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flotilla.events import bookings as events

from flotilla_crm.domain.availability import Host, Offer
from flotilla_crm.domain.revision import Changed

REMINDERS: Final = (timedelta(hours=24), timedelta(hours=1))
"""How long before its beginning both sides are reminded."""
MAX_TITLE: Final = 200
DEFAULT_TITLE: Final = "Appointment"


class BookingState(StrEnum):
    """Where a booking stands."""

    HELD = "held"
    """Its slot is kept, and what else it needs is being asked for."""
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Refusal(StrEnum):
    """Why there is no booking."""

    UNKNOWN_CONTACT = "unknown_contact"
    UNKNOWN_HOST = "unknown_host"
    NOT_OFFERED = "not_offered"
    TAKEN = "taken"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Booking:
    """A person of ours and a contact, at a time."""

    id: UUID
    sequence: int = 1
    request_id: UUID | None = None
    """The wish that it answers."""
    hold_id: UUID
    moving_to: UUID | None = None
    """The hold of the time that it is being moved to."""
    host_id: UUID
    contact_id: UUID | None
    title: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    state: BookingState = BookingState.HELD
    reason: str | None = None
    created_at: datetime

    @property
    def live(self) -> bool:
        """Whether it keeps a slot."""
        return self.state in (BookingState.HELD, BookingState.CONFIRMED)

    def confirmed(self) -> events.BookingConfirmed:
        """Tells that it stands."""
        return events.BookingConfirmed(**self._state(), changed={"state": ["held", self.state.value]})

    def failed(self, reason: str) -> events.BookingFailed:
        """Tells that it does not."""
        return events.BookingFailed(
            booking_id=self.id,
            contact_id=self.contact_id,
            starts_at=self.starts_at,
            reason=reason,
            free_slots=[],
        )

    def rescheduled(self, changed: Changed) -> events.BookingRescheduled:
        """Tells that it stands elsewhere."""
        return events.BookingRescheduled(**self._state(), changed=changed)

    def stayed(self, failure: str) -> events.BookingRescheduleFailed:
        """Tells that it could not be moved."""
        return events.BookingRescheduleFailed(**self._state(), failure=failure)

    def cancelled(self, before: BookingState) -> events.BookingCancelled:
        """Tells that it will not take place."""
        changed = {"state": [before.value, self.state.value]}
        return events.BookingCancelled(**self._state(), changed=changed)

    def _state(self) -> dict[str, Any]:
        return {
            "booking_id": self.id,
            "host_id": self.host_id,
            "contact_id": self.contact_id,
            "title": self.title,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "time_zone": self.time_zone,
            "state": self.state.value,
            "reason": self.reason,
        }


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A slot that somebody wants: for a new booking, or for one that shall be moved."""

    org: UUID
    booking_id: UUID
    host_ids: tuple[UUID, ...]
    """One of these; none named: any."""
    starts_at: datetime
    first_free: bool = False
    """The first from `starts_at` on that is free, instead of the one that begins then."""


@dataclass(frozen=True)
class Held:
    """A slot that is kept for them."""

    asked: Asked
    hold_id: UUID
    host: Host

    @property
    def ends_at(self) -> datetime:
        """When the booking ends; the host's pause comes after it."""
        return self.asked.starts_at + self.host.length


def slot(offer: Offer) -> events.Slot:
    """As events and problems say it."""
    return events.Slot(starts_at=offer.starts_at, ends_at=offer.ends_at, host_ids=list(offer.host_ids))


def when_text(starts_at: datetime, ends_at: datetime, time_zone: str) -> str:
    """A time for people: `Tuesday 24 November 2026, 10:00 to 10:30 (Europe/Berlin)`."""
    zone = ZoneInfo(time_zone)
    begins, ends = starts_at.astimezone(zone), ends_at.astimezone(zone)
    return f"{begins:%A} {begins.day} {begins:%B %Y, %H:%M} to {ends:%H:%M} ({time_zone})"


def confirmation_text(title: str, when: str, *, moved: bool) -> str:
    """What the contact is told."""
    word = "has been moved" if moved else "is confirmed"
    return f"Your booking {word}: {title}, {when}."


def reminder_text(title: str, when: str) -> str:
    """What both sides are told before it begins."""
    return f"A reminder of your booking: {title}, {when}."
