"""When a host can be booked: weekly hours on the clock of their own zone, whatever it does in spring and autumn."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
MIDNIGHT = "24:00"

Busy = tuple[datetime, datetime]
"""From when, until when; both in UTC, the pause after it included."""


@dataclass(frozen=True)
class Window:
    """Hours of one weekday."""

    weekday: int
    """ISO 8601: 1 is Monday."""
    opens: str
    closes: str
    """`HH:MM` on the host's clock; `24:00` closes at midnight."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """Somebody who can be booked. `id`: the person's."""

    id: UUID
    sequence: int = 1
    time_zone: str
    """IANA."""
    hours: tuple[Window, ...]
    length_minutes: int
    buffer_minutes: int
    """The pause between two bookings."""
    notice_minutes: int
    """How long before its beginning one must be made."""
    active: bool = True
    last_booked_at: datetime | None = None

    @property
    def length(self) -> timedelta:
        """Of one booking."""
        return timedelta(minutes=self.length_minutes)

    @property
    def taken(self) -> timedelta:
        """What one booking takes of the host's time."""
        return timedelta(minutes=self.length_minutes + self.buffer_minutes)

    def slots(self, begin: datetime, end: datetime, now: datetime) -> Iterator[datetime]:
        """The beginnings, from `begin` to before `end`, that are offered: booked or not, in their order, in UTC."""
        earliest = max(begin, now + timedelta(minutes=self.notice_minutes))
        for opens, closes in self._windows(begin, end):
            starts_at = opens
            while starts_at + self.length <= closes:
                if earliest <= starts_at < end:
                    yield starts_at
                starts_at += self.taken

    def offers(self, starts_at: datetime, now: datetime) -> bool:
        """Whether a booking may begin then, if nobody has it."""
        return any(self.slots(starts_at, starts_at + timedelta(microseconds=1), now))

    def _windows(self, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        zone = ZoneInfo(self.time_zone)
        # A window may have begun the day before, and the host's day is up to a day away from that in UTC.
        day, last = begin.astimezone(zone).date() - DAY, end.astimezone(zone).date()
        found: list[tuple[datetime, datetime]] = []
        while day <= last:
            found += [
                (_instant(day, window.opens, zone), _instant(day, window.closes, zone))
                for window in self.hours
                if window.weekday == day.isoweekday()
            ]
            day += DAY
        return sorted(found)


def _instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """What the clock's `HH:MM` of that day is in UTC.

    As RFC 5545, section 3.3.5, has it: an hour that comes twice means the first; one that is left out is reckoned with
    the offset before it, so that it comes that much later on the new clock.
    """
    if clock == MIDNIGHT:
        day, clock = day + DAY, "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


@dataclass(frozen=True)
class Offer:
    """A time that can be had, and with whom."""

    starts_at: datetime
    ends_at: datetime
    host_ids: tuple[UUID, ...]


def free(
    hosts: Iterable[Host], busy: dict[UUID, list[Busy]], begin: datetime, end: datetime, now: datetime
) -> list[Offer]:
    """What can be had of any of these hosts from `begin` to before `end`, the earliest first.

    `busy`: each host's holds, sorted. Hosts whose bookings are of different lengths make different offers.
    """
    found: dict[Busy, list[UUID]] = {}
    for host in hosts:
        taken = _merged(busy.get(host.id, []))
        for starts_at in host.slots(begin, end, now):
            if _is_free(starts_at, starts_at + host.taken, taken):
                found.setdefault((starts_at, starts_at + host.length), []).append(host.id)
    return [
        Offer(starts_at, ends_at, tuple(sorted(ids))) for (starts_at, ends_at), ids in sorted(found.items())
    ]


def _merged(busy: Iterable[Busy]) -> list[Busy]:
    """Without overlaps: a booking that is being moved holds two times, which may share some."""
    merged: list[Busy] = []
    for begin, end in busy:
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _is_free(begin: datetime, end: datetime, busy: Sequence[Busy]) -> bool:
    """Of times that do not overlap, only the last that begins before `end` can reach into it."""
    place = bisect_left(busy, end, key=lambda taken: taken[0])
    return place == 0 or busy[place - 1][1] <= begin


def by_turns(hosts: Iterable[Host]) -> list[Host]:
    """Who is asked first: whoever was booked longest ago, before them those who never were."""
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(hosts, key=lambda host: (host.last_booked_at or never, host.id))


def read_hours(stored: Iterable[dict[str, Any]]) -> tuple[Window, ...]:
    """As they are stored."""
    return tuple(Window(**each) for each in stored)
