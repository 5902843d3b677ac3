"""The numbers."""

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Query
from flotilla.http import Routes, Tx, UnprocessableError, Who
from flotilla.store.postgres import Row
from pydantic import BaseModel, Field

from flotilla_analytics.domain.histogram import percentile
from flotilla_analytics.domain.metrics import Metric
from flotilla_analytics.store import metrics

routes = Routes("/v1/analytics", tag="analytics")

MOST_DAYS: Final = 400
MOST_GROUPS: Final = 2_000


class GroupBy(StrEnum):
    """What numbers can be told apart by."""

    DAY = "day"
    CHANNEL = "channel"
    DIRECTION = "direction"
    AGENT = "agent"
    OUTCOME = "outcome"


COLUMNS: Final = {
    GroupBy.DAY: "day",
    GroupBy.CHANNEL: "channel",
    GroupBy.DIRECTION: "part",
    GroupBy.AGENT: "agent",
    GroupBy.OUTCOME: "part",
}

DIMENSIONS: Final[dict[Metric, frozenset[GroupBy]]] = {
    Metric.MESSAGE_VOLUME: frozenset({GroupBy.DAY, GroupBy.CHANNEL, GroupBy.DIRECTION}),
    Metric.FIRST_RESPONSE_TIME: frozenset({GroupBy.DAY, GroupBy.CHANNEL}),
    Metric.RESPONSE_TIME: frozenset({GroupBy.DAY, GroupBy.CHANNEL}),
    Metric.RESOLUTION_TIME: frozenset({GroupBy.DAY, GroupBy.CHANNEL}),
    Metric.DRAFT_DECISIONS: frozenset({GroupBy.DAY, GroupBy.AGENT, GroupBy.OUTCOME}),
}

DURATIONS: Final = frozenset({Metric.FIRST_RESPONSE_TIME, Metric.RESPONSE_TIME, Metric.RESOLUTION_TIME})


class Group(BaseModel):
    """The numbers of one group; dimensions that were not asked for are null."""

    day: date | None = None
    channel: str | None = None
    direction: str | None = None
    agent: str | None = None
    outcome: str | None = None
    count: int
    mean_seconds: float | None = Field(None, description="Exact. Null for metrics that only count.")
    p50_seconds: float | None = Field(None, description="To within 7 %.")
    p90_seconds: float | None = Field(None, description="To within 7 %.")
    p95_seconds: float | None = Field(None, description="To within 7 %.")


class Numbers(BaseModel):
    """A metric over some days."""

    metric: Metric
    day_from: date
    day_to: date
    groups: list[Group]


@routes.get("/metrics", permission="analytics:read")
async def read_metrics(
    tx: Tx,
    who: Who,
    metric: Metric,
    from_: Annotated[date, Query(alias="from", description="The first day (UTC).")],
    to: Annotated[date, Query(description="The day after the last (UTC).")],
    group_by: Annotated[list[GroupBy] | None, Query(max_length=2)] = None,
) -> Numbers:
    """A metric over at most 400 days, in at most 2000 groups.

    `message_volume` has `direction` (`inbound`, `outbound`); `draft_decisions` has `outcome` (`generated`,
    `approved`, `edited`, `rejected`, `failed`). Times count to the day on which they ended.
    """
    wanted = tuple(dict.fromkeys(group_by or ()))
    _check(metric, from_, to, wanted)
    columns = tuple(COLUMNS[dimension] for dimension in wanted)
    rows = await metrics.read_groups(
        tx, who.org, metrics.Question(metric, from_, to, columns), MOST_GROUPS + 1
    )
    if len(rows) > MOST_GROUPS:
        raise UnprocessableError(
            f"That gives more than {MOST_GROUPS} groups: ask for fewer days or dimensions."
        )
    groups = [numbers_of(row, metric, wanted) for row in rows if row["count"]]
    return Numbers(metric=metric, day_from=from_, day_to=to, groups=groups)


def check_days(day_from: date, day_to: date) -> None:
    """A 422 problem for too many days, or none."""
    if not timedelta(0) < day_to - day_from <= timedelta(days=MOST_DAYS):
        detail = f"must be 1 to {MOST_DAYS} days after `from`"
        raise UnprocessableError("Correct the days.", errors=[{"parameter": "/to", "detail": detail}])


def _check(metric: Metric, day_from: date, day_to: date, wanted: tuple[GroupBy, ...]) -> None:
    check_days(day_from, day_to)
    if foreign := set(wanted) - DIMENSIONS[metric]:
        known = ", ".join(sorted(DIMENSIONS[metric]))
        errors = [
            {"parameter": "/group_by", "detail": f"{name}: {metric} has {known}"} for name in sorted(foreign)
        ]
        raise UnprocessableError("The metric has no such dimension.", errors=errors)


def numbers_of(row: Row, metric: Metric, wanted: tuple[GroupBy, ...] = ()) -> Group:
    """The numbers of one row of sums."""
    group = Group(count=row["count"], **{name.value: row[COLUMNS[name]] for name in wanted})
    if metric in DURATIONS:
        counts = list(zip(row["buckets"], row["counts"], strict=True))
        group.mean_seconds = row["sum_ms"] / row["count"] / 1000
        group.p50_seconds, group.p90_seconds, group.p95_seconds = (
            (percentile(counts, share) or 0) / 1000 for share in (0.5, 0.9, 0.95)
        )
    return group
