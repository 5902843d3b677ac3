"""What rows of sums say of deals and leads, brought together by period and group."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from flotilla_analytics.domain.figures import Durations, together

Sums = Mapping[str, Any]
"""period, the keys, count, sum_ms, amount, buckets, counts."""
NOTHING: Final = Durations(0, 0, ())


@dataclass
class Conversion:
    """Leads of one period."""

    created: int = 0
    won: int = 0
    unqualified: int = 0
    open: int = 0
    time: Durations = NOTHING
    """Of those converted in the period, whenever they were qualified."""


@dataclass
class Trade:
    """Deals of one period and group."""

    created: int = 0
    created_won: int = 0
    created_lost: int = 0
    lost: int = 0
    cycle: Durations = NOTHING
    """Of those won in the period."""
    revenue: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    """Currency → deals and amount won in the period."""


def conversions(made: Iterable[Sums], converted: Iterable[Sums]) -> dict[date | None, Conversion]:
    """By period: what became of the leads made in it, and those converted in it."""
    found: dict[date | None, Conversion] = defaultdict(Conversion)
    for row in made:
        here = found[row["period"]]
        here.created += row["count"]
        match row["part"]:
            case "converted":
                here.won += row["count"]
            case "unqualified":
                here.unqualified += row["count"]
            case _:
                here.open += row["count"]
    for row in converted:
        found[row["period"]].time = durations(row)
    return dict(found)


def trades(
    keys: tuple[str, ...], made: Iterable[Sums], won: Iterable[Sums], lost: Iterable[Sums]
) -> dict[tuple[object, ...], Trade]:
    """By period and keys: what became of the deals made, and those won and lost."""
    found: dict[tuple[object, ...], Trade] = defaultdict(Trade)

    def of(row: Sums) -> Trade:
        return found[(row["period"], *(row[key] for key in keys))]

    for row in made:
        here = of(row)
        here.created += row["count"]
        here.created_won += row["count"] * (row["part"] == "won")
        here.created_lost += row["count"] * (row["part"] == "lost")
    for row in won:
        here = of(row)
        here.cycle = together((here.cycle, durations(row)))
        here.revenue[row["currency"]] = (row["count"], row["amount"])
    for row in lost:
        of(row).lost += row["count"]
    return dict(found)


def durations(row: Sums) -> Durations:
    """The durations of a group; those that only count have none."""
    counted = zip(row["buckets"], row["counts"], strict=True)
    return Durations(row["count"], row["sum_ms"], [each for each in counted if each[0] >= 0])
