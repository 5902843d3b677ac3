"""The stretch of days that a question is about, as callers write it."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query
from flotilla.http import UnprocessableError

from flotilla_analytics.domain.periods import MOST_PARTS, Granularity, parts
from flotilla_analytics.domain.sales_facts import NONE

MOST_DAYS: Final = 3_700


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which days, how cut, and whose."""

    day_from: date
    day_to: date
    granularity: Granularity
    filters: dict[str, Any]
    """Column → the only value wanted."""


def check_days(day_from: date, day_to: date, granularity: Granularity) -> None:
    """A 422 problem where it is no stretch, or too long."""
    days = (day_to - day_from).days
    if not 0 < days <= MOST_DAYS:
        detail = f"must be 1 to {MOST_DAYS} days after `from`"
    elif parts(day_from, day_to, granularity) > MOST_PARTS:
        detail = f"gives more than {MOST_PARTS} parts of a {granularity}: choose a longer one"
    else:
        return
    raise UnprocessableError("Correct the days.", errors=[{"parameter": "/to", "detail": detail}])


async def _stretch(
    from_: Annotated[date, Query(alias="from", description="The first day (UTC).")],
    to: Annotated[date, Query(description="The day after the last (UTC).")],
    granularity: Granularity = Granularity.ALL,
    owner_id: Annotated[UUID | None, Query(description="The nil id: what is nobody's.")] = None,
    source: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")] = None,
) -> Stretch:
    check_days(from_, to, granularity)
    filters = {"owner_id": owner_id, "source": source}
    return Stretch(
        from_, to, granularity, {name: value for name, value in filters.items() if value is not None}
    )


StretchQuery = Annotated[Stretch, Depends(_stretch)]
"""`from`, `to`, `granularity`, `owner_id` and `source` of a question."""


def shown_id(value: UUID | None) -> UUID | None:
    """The id; null where there is none."""
    return None if value in (None, NONE) else value
