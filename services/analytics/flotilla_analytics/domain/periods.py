"""Stretches of days, and how they are cut."""

from datetime import date, timedelta
from enum import StrEnum


class Granularity(StrEnum):
    """How long each part of a stretch is; weeks begin on Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"
    """It is one part."""


MOST_PARTS = 400
_LENGTHS = {
    Granularity.DAY: 1,
    Granularity.WEEK: 7,
    Granularity.MONTH: 28,
    Granularity.QUARTER: 90,
    Granularity.YEAR: 365,
    Granularity.ALL: 10**6,
}


def parts(day_from: date, day_to: date, granularity: Granularity) -> int:
    """How many parts a stretch has at most."""
    return (day_to - day_from).days // _LENGTHS[granularity] + 1


def begin_of(day: date, granularity: Granularity) -> date:
    """The first day of the part that a day falls into; of `ALL`, the first there is."""
    match granularity:
        case Granularity.DAY:
            return day
        case Granularity.WEEK:
            return day - timedelta(days=day.weekday())
        case Granularity.MONTH:
            return day.replace(day=1)
        case Granularity.QUARTER:
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        case Granularity.YEAR:
            return date(day.year, 1, 1)
        case Granularity.ALL:
            return date.min


def end_of(day: date, granularity: Granularity) -> date:
    """The day after the last of the part that a day falls into."""
    begin = begin_of(day, granularity)
    match granularity:
        case Granularity.DAY:
            return begin + timedelta(days=1)
        case Granularity.WEEK:
            return begin + timedelta(days=7)
        case Granularity.ALL:
            return date.max
    months = {Granularity.MONTH: 1, Granularity.QUARTER: 3, Granularity.YEAR: 12}[granularity]
    years, month = divmod(begin.month - 1 + months, 12)
    return date(begin.year + years, month + 1, 1)
