"""What can be asked for by name, in goals and reports: each measure, where its sums stand and what they make."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from flotilla_analytics.domain.figures import mean
from flotilla_analytics.domain.metrics import Metric
from flotilla_analytics.domain.sales_facts import SalesMetric
from flotilla_analytics.domain.scores import csat, nps

Sums = Mapping[str, Any]
"""count, sum_ms, amount, buckets, counts."""
CUSTOM: Final = "custom:"
"""Before the name of a metric that people defined."""
CURRENCY: Final = "currency"


class UnfitError(ValueError):
    """A question that cannot be asked; `where` it is wrong."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(detail)
        self.where = where
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that can be measured."""

    name: str
    title: str
    unit: str
    """`count`, `seconds`, `minor` (a currency's smallest unit), `percent`, `points`, or what people call it."""
    table: str
    """Which roll-ups have it: `sales`, `service`, `surveys` or `custom`."""
    metric: str
    figure: Callable[[Sums], Decimal | None]
    dimensions: Mapping[str, str] = field(default_factory=dict)
    """What it can be told apart and filtered by, and the columns of that."""

    def check(self, dimensions: tuple[str, ...], filters: Mapping[str, object]) -> None:
        """UnfitError where it has no such dimension, or amounts of several currencies would be added up."""
        for where, names in (("dimensions", dimensions), ("filters", tuple(filters))):
            for name in names:
                if name not in self.dimensions:
                    known = ", ".join(self.dimensions) or "none"
                    raise UnfitError(where, f"{name}: {self.name} has {known}")
        if self.unit == "minor" and CURRENCY not in {*dimensions, *filters}:
            raise UnfitError("filters", "currency: amounts of several currencies make no sum; name one")


def _count(sums: Sums) -> Decimal:
    return Decimal(sums["count"])


def _amount(sums: Sums) -> Decimal:
    return Decimal(sums["amount"])


def _average(sums: Sums) -> Decimal | None:
    return mean(sums["amount"], sums["count"])


def _seconds(sums: Sums) -> Decimal | None:
    return mean(Decimal(sums["sum_ms"]) / 1000, sums["count"])


def _scores(sums: Sums) -> dict[int, int]:
    return dict(zip(sums["buckets"], sums["counts"], strict=True))


def _csat(sums: Sums) -> Decimal | None:
    return csat(_scores(sums))


def _nps(sums: Sums) -> Decimal | None:
    return nps(_scores(sums))


_CHANNEL: Final = {"channel": "channel"}
_DEAL: Final = {name: name for name in ("pipeline_id", "owner_id", "source")}
_VALUED: Final = {**_DEAL, CURRENCY: CURRENCY}
_LEAD: Final = {name: name for name in ("owner_id", "source")}
_SURVEY: Final = {name: name for name in ("survey_id", "channel", "agent_id")}

_ALL: Final = (
    Measure(
        "message_volume",
        "Messages",
        "count",
        "service",
        Metric.MESSAGE_VOLUME,
        _count,
        {**_CHANNEL, "direction": "part"},
    ),
    Measure(
        "first_response_time",
        "First response time",
        "seconds",
        "service",
        Metric.FIRST_RESPONSE_TIME,
        _seconds,
        _CHANNEL,
    ),
    Measure("response_time", "Response time", "seconds", "service", Metric.RESPONSE_TIME, _seconds, _CHANNEL),
    Measure(
        "resolution_time", "Resolution time", "seconds", "service", Metric.RESOLUTION_TIME, _seconds, _CHANNEL
    ),
    Measure(
        "resolutions", "Resolved conversations", "count", "service", Metric.RESOLUTION_TIME, _count, _CHANNEL
    ),
    Measure(
        "draft_decisions",
        "Drafts decided",
        "count",
        "service",
        Metric.DRAFT_DECISIONS,
        _count,
        {"agent": "agent", "outcome": "part"},
    ),
    Measure(
        "deals_created",
        "Deals made",
        "count",
        "sales",
        SalesMetric.DEALS,
        _count,
        {**_VALUED, "outcome": "part"},
    ),
    Measure("deals_won", "Deals won", "count", "sales", SalesMetric.WON, _count, _VALUED),
    Measure("revenue_won", "Revenue won", "minor", "sales", SalesMetric.WON, _amount, _VALUED),
    Measure("deal_size", "Average deal size", "minor", "sales", SalesMetric.WON, _average, _VALUED),
    Measure("sales_cycle", "Sales cycle", "seconds", "sales", SalesMetric.WON, _seconds, _VALUED),
    Measure(
        "deals_lost",
        "Deals lost",
        "count",
        "sales",
        SalesMetric.LOST,
        _count,
        {**_VALUED, "loss_reason": "part"},
    ),
    Measure(
        "leads_created",
        "Leads qualified",
        "count",
        "sales",
        SalesMetric.LEADS,
        _count,
        {**_LEAD, "outcome": "part"},
    ),
    Measure("leads_converted", "Leads converted", "count", "sales", SalesMetric.CONVERTED, _count, _LEAD),
    Measure("csat", "Customer satisfaction", "percent", "surveys", "csat", _csat, _SURVEY),
    Measure("nps", "Net promoter score", "points", "surveys", "nps", _nps, _SURVEY),
    Measure("ces", "Customer effort score", "points", "surveys", "ces", _average, _SURVEY),
)
MEASURES: Final[dict[str, Measure]] = {measure.name: measure for measure in _ALL}
"""Those that every organization has."""

_AGGREGATIONS: Final[dict[str, Callable[[Sums], Decimal | None]]] = {
    "sum": _amount,
    "average": _average,
    "count": _count,
}
AGGREGATIONS: Final = tuple(_AGGREGATIONS)


def custom(name: str, title: str, unit: str, aggregation: str) -> Measure:
    """The measure of a metric that people defined; it has no dimensions but time."""
    return Measure(CUSTOM + name, title, unit, "custom", name, _AGGREGATIONS[aggregation])
