"""iCalendar objects (RFC 5545): what we put into calendars, and the times of what others did."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from icalendar import Calendar, Event

from flotilla_integrations.adapters.calendar import Item, PutEvent

PRODUCT: Final = "-//Flotilla//Calendars 1//EN"
STATUSES: Final = ("confirmed", "tentative", "cancelled")


def event(wanted: PutEvent, now: datetime) -> bytes:
    """An object of one event, its times in UTC: they mean the same on every server, with no zone to carry along.

    Without attendees: the customer is told on their channel, and a calendar server would write to them as well
    (RFC 6638 section 3.2.1).
    """
    calendar, standing = Calendar(), Event()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    standing.add("uid", wanted.uid)
    standing.add("dtstamp", now.astimezone(UTC))
    standing.add("dtstart", wanted.starts_at.astimezone(UTC))
    standing.add("dtend", wanted.ends_at.astimezone(UTC))
    standing.add("summary", wanted.title)
    standing.add("description", wanted.description)
    standing.add("status", "CONFIRMED")
    calendar.add_component(standing)
    return bytes(calendar.to_ical())


def uid_of(content: str) -> str | None:
    """The uid of an object; None where it holds no event that can be read."""
    found = _event(content)
    return None if found is None else str(found.get("uid", "")) or None


def item(external_id: str, etag: str, content: str | None) -> Item:
    """An item with its times; without them where it is no event that can be read."""
    found = _event(content) if content else None
    if found is None:
        return Item(external_id=external_id, etag=etag)
    try:
        begins, ends, all_day = _times(found)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return Item(external_id=external_id, etag=etag)
    status = str(found.get("status", "confirmed")).lower()
    return Item(
        external_id=external_id,
        etag=etag,
        uid=str(found.get("uid", "")) or None,
        starts_at=begins,
        ends_at=ends,
        all_day=all_day,
        recurring="rrule" in found,
        busy=str(found.get("transp", "OPAQUE")).upper() != "TRANSPARENT",
        status=status if status in STATUSES else "confirmed",
    )


def _event(content: str) -> Event | None:
    """The event, or the series without its exceptions."""
    try:
        found = [part for part in Calendar.from_ical(content).walk("VEVENT") if isinstance(part, Event)]
    except (ValueError, IndexError, KeyError):
        return None
    return next((part for part in found if "recurrence-id" not in part), found[0] if found else None)


def _times(found: Event) -> tuple[datetime, datetime, bool]:
    start = found.decoded("dtstart")
    all_day = not isinstance(start, datetime)
    end = found.decoded("dtend") if "dtend" in found else None
    if end is None:  # RFC 5545 section 3.6.1
        nothing_said = timedelta(days=1) if all_day else timedelta(0)
        end = start + (found.decoded("duration") if "duration" in found else nothing_said)
    return _moment(start), _moment(end), all_day


def _moment(value: date) -> datetime:
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
