"""When somebody may be written to, in their own zone."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec

CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
DAYS_AHEAD: Final = 15
"""Far enough to find a day of the week again whose window a change of clocks had swallowed."""

Clock = Annotated[str, msgspec.Meta(pattern=CLOCK)]
Day = Annotated[int, msgspec.Meta(ge=1, le=7)]


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `opens` until before `closes` by the wall clock, on these days of the week (ISO 8601: Monday is 1)."""

    opens: Clock
    closes: Clock
    days: Annotated[tuple[Day, ...], msgspec.Meta(min_length=1, max_length=7)] = (1, 2, 3, 4, 5, 6, 7)

    def next_open(self, now: datetime, zone: ZoneInfo) -> datetime:
        """`now` where it is open, else when it opens next; in UTC."""
        today = now.astimezone(zone).date()
        for ahead in range(DAYS_AHEAD):
            day = today + timedelta(days=ahead)
            opens, closes = _moment(day, self.opens, zone), _moment(day, self.closes, zone)
            if day.isoweekday() in self.days and opens < closes and now < closes:
                return max(now, opens)
        raise ValueError(f"a window never opens: {self}")


def _moment(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """A wall clock's time as a moment; one that a change of clocks skips is the moment after it (PEP 495)."""
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)
