"""Reports: which days a saved question is about, and when it is asked by itself."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from flotilla_analytics.domain.periods import Granularity, begin_of


class Period(StrEnum):
    """Which days, seen from the day of asking; that day is not over, so that only `this_…` holds it."""

    LAST_7_DAYS = "last_7_days"
    LAST_30_DAYS = "last_30_days"
    LAST_90_DAYS = "last_90_days"
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    THIS_QUARTER = "this_quarter"
    LAST_QUARTER = "last_quarter"
    THIS_YEAR = "this_year"
    LAST_YEAR = "last_year"


def days_of(period: Period, today: date) -> tuple[date, date]:
    """The first day and the day after the last."""
    last, _, rest = period.partition("_")
    if rest.endswith("_days"):
        return today - timedelta(days=int(rest.removesuffix("_days"))), today
    begin = begin_of(today, Granularity(rest))
    if last == "this":
        return begin, today + timedelta(days=1)
    return begin_of(begin - timedelta(days=1), Granularity(rest)), begin


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a report is made by itself, on a clock of its zone."""

    every: Literal["day", "week", "month"]
    hour: int
    time_zone: str
    """IANA."""
    weekday: int = 1
    """ISO 8601, 1 is Monday: of `week`."""
    day: int = 1
    """1 to 28: of `month`."""

    def next_after(self, moment: datetime) -> datetime:
        """The next time, in UTC. An hour that a clock leaves out is the one after it (RFC 5545 section 3.3.5)."""
        zone = ZoneInfo(self.time_zone)
        today = moment.astimezone(zone).date()
        for number in range(63):
            found = today + timedelta(days=number)
            at = datetime.combine(found, time(self.hour), zone).astimezone(UTC)
            if self._is_on(found) and at > moment:
                return at
        raise AssertionError("every month has each of its first 28 days")

    def _is_on(self, day: date) -> bool:
        match self.every:
            case "week":
                return day.isoweekday() == self.weekday
            case "month":
                return day.day == self.day
            case _:
                return True
