"""Measures asked for by name: what organizations have in common, and what they defined themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from flotilla.http import UnprocessableError
from flotilla.store.postgres import Transaction

from flotilla_analytics.domain.measures import CUSTOM, MEASURES, Measure, UnfitError, custom
from flotilla_analytics.domain.periods import Granularity
from flotilla_analytics.store import measures as store
from flotilla_analytics.store.readings import Question, read_groups


@dataclass(frozen=True, slots=True)
class Wanted:
    """A measure, over some days."""

    measure: Measure
    day_from: date
    day_to: date
    """Exclusive."""
    granularity: Granularity = Granularity.ALL
    dimensions: tuple[str, ...] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, and what it is the number of."""

    period: date | None
    dimensions: tuple[object, ...]
    count: int
    value: Decimal | None


async def measure_named(tx: Transaction, org: UUID, name: str) -> Measure | None:
    """The measure; None where there is none of this name."""
    if not name.startswith(CUSTOM):
        return MEASURES.get(name)
    row = await store.metric_named(tx, org, name.removeprefix(CUSTOM))
    return custom(row["name"], row["title"], row["unit"], row["aggregation"]) if row else None


async def checked(
    tx: Transaction, org: UUID, name: str, dimensions: tuple[str, ...], filters: Mapping[str, str]
) -> Measure:
    """The measure, where this can be asked of it; a 422 problem that says what is wrong where not."""
    measure = await measure_named(tx, org, name)
    try:
        if measure is None:
            raise UnfitError("measure", f"one of {', '.join(MEASURES)}, or {CUSTOM}<name>")
        measure.check(dimensions, filters)
        typed(filters)
    except UnfitError as error:
        errors = [{"pointer": f"/{error.where}", "detail": error.detail}]
        raise UnprocessableError("That cannot be asked.", errors=errors) from None
    return measure


def typed(filters: Mapping[str, str]) -> dict[str, Any]:
    """Filters as the columns have them; UnfitError for an id that is none."""
    found: dict[str, Any] = {}
    for name, value in filters.items():
        try:
            found[name] = UUID(value) if name.endswith("_id") else value
        except ValueError:
            raise UnfitError("filters", f"{name}: not an id") from None
    return found


async def ask(tx: Transaction, org: UUID, wanted: Wanted, limit: int) -> list[Figure]:
    """The figures by period and dimensions; at most `limit`. Answered from roll-ups."""
    columns = wanted.measure.dimensions
    keys = tuple(columns[name] for name in wanted.dimensions)
    question = Question(
        wanted.measure.metric,
        wanted.day_from,
        wanted.day_to,
        wanted.granularity,
        keys,
        {columns[name]: value for name, value in typed(wanted.filters).items()},
        wanted.measure.table,
    )
    rows = await read_groups(tx, org, question, limit)
    return [
        Figure(row["period"], tuple(row[key] for key in keys), row["count"], wanted.measure.figure(row))
        for row in rows
    ]
