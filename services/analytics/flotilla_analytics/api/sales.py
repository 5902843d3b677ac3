"""/v1/analytics/sales: what sells, how fast, for how much, and where it gets stuck. docs/metrics.md defines each."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query
from flotilla.http import NotFoundError, Routes, Tx, UnprocessableError, Who
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.api.periods import Stretch, StretchQuery, shown_id
from flotilla_analytics.api.sales_schemas import (
    Amount,
    Bar,
    CycleOut,
    DealsOut,
    DealsReport,
    FunnelOut,
    LeadsOut,
    LeadsReport,
    LossesOut,
    LossOut,
    StageOut,
    Time,
)
from flotilla_analytics.domain.figures import Durations, rate
from flotilla_analytics.domain.funnel import Moves, Passage, Place, passages
from flotilla_analytics.domain.histogram import bounds
from flotilla_analytics.domain.periods import Granularity
from flotilla_analytics.domain.sales_facts import SalesMetric
from flotilla_analytics.domain.trade import NOTHING, Conversion, Trade, conversions, durations, trades
from flotilla_analytics.store.readings import Question, read_groups
from flotilla_analytics.store.sales import stages_of

routes = Routes("/v1/analytics/sales", tag="analytics")

MOST_ROWS: Final = 20_000
Pipeline = Annotated[UUID | None, Query()]


class GroupBy(StrEnum):
    """What deals can be told apart by, beside the period."""

    PIPELINE = "pipeline_id"
    OWNER = "owner_id"
    SOURCE = "source"


@routes.get("/leads", permission="analytics:read")
async def read_lead_conversion(tx: Tx, who: Who, stretch: StretchQuery) -> LeadsReport:
    """How many leads became customers: of those qualified in each period, and in each period."""
    made = await _read(tx, who.org, stretch, SalesMetric.LEADS, ("part",))
    converted = await _read(tx, who.org, stretch, SalesMetric.CONVERTED)
    found = conversions(made, converted)
    return LeadsReport(
        day_from=stretch.day_from,
        day_to=stretch.day_to,
        periods=[_leads(period, found[period]) for period in sorted(found, key=lambda day: day or date.min)],
    )


@routes.get("/deals", permission="analytics:read")
async def read_deals(
    tx: Tx,
    who: Who,
    stretch: StretchQuery,
    pipeline_id: Pipeline = None,
    group_by: Annotated[list[GroupBy] | None, Query(max_length=2)] = None,
) -> DealsReport:
    """Win rate, revenue, average deal size and sales cycle by period, and by pipeline, owner or source."""
    keys = tuple(dict.fromkeys(each.value for each in group_by or ()))
    stretch = _within(stretch, pipeline_id)
    made = await _read(tx, who.org, stretch, SalesMetric.DEALS, (*keys, "part"))
    won = await _read(tx, who.org, stretch, SalesMetric.WON, (*keys, "currency"))
    lost = await _read(tx, who.org, stretch, SalesMetric.LOST, keys)
    groups = trades(keys, made, won, lost)
    return DealsReport(
        day_from=stretch.day_from,
        day_to=stretch.day_to,
        groups=[_deals(keys, key, groups[key]) for key in sorted(groups, key=_order)],
    )


@routes.get("/cycle", permission="analytics:read")
async def read_sales_cycle(tx: Tx, who: Who, stretch: StretchQuery, pipeline_id: Pipeline = None) -> CycleOut:
    """How long deals took from made to won, of those won in the stretch."""
    whole = Stretch(stretch.day_from, stretch.day_to, Granularity.ALL, stretch.filters)
    rows = await _read(tx, who.org, _within(whole, pipeline_id), SalesMetric.WON)
    took = durations(rows[0]) if rows else NOTHING
    bars = [
        Bar(from_seconds=shortest / 1000, to_seconds=longest / 1000, deals=count)
        for bucket, count in took.buckets
        for shortest, longest in [bounds(bucket)]
    ]
    return CycleOut(deals=took.count, time=_time(took), distribution=bars)


@routes.get("/funnel", permission="analytics:read")
async def read_funnel(tx: Tx, who: Who, stretch: StretchQuery, pipeline_id: UUID) -> FunnelOut:
    """Each stage of a pipeline: what came in, which way it left and after how long.

    Forward and back go by the stages' present order.
    """
    stages = await stages_of(tx, who.org, pipeline_id)
    if not stages:
        raise NotFoundError("No pipeline with this id has a stage.")
    whole = _within(Stretch(stretch.day_from, stretch.day_to, Granularity.ALL, stretch.filters), pipeline_id)
    moved = await _read(tx, who.org, whole, SalesMetric.MOVES, ("stage_id", "to_stage_id"))
    stood = await _read(tx, who.org, whole, SalesMetric.REACHED, ("stage_id",))
    places = [Place(**dict(stage)) for stage in stages]
    moves = [Moves(row["stage_id"], row["to_stage_id"], durations(row)) for row in moved]
    found = passages(places, moves, {row["stage_id"]: row["count"] for row in stood})
    return FunnelOut(
        pipeline_id=pipeline_id,
        day_from=stretch.day_from,
        day_to=stretch.day_to,
        stages=[_stage(each) for each in found],
    )


@routes.get("/losses", permission="analytics:read")
async def read_losses(tx: Tx, who: Who, stretch: StretchQuery, pipeline_id: Pipeline = None) -> LossesOut:
    """Why deals were lost in the stretch, the most frequent reason first."""
    whole = Stretch(stretch.day_from, stretch.day_to, Granularity.ALL, stretch.filters)
    rows = await _read(tx, who.org, _within(whole, pipeline_id), SalesMetric.LOST, ("part", "currency"))
    counts: dict[str, int] = {}
    amounts: dict[str, list[Amount]] = {}
    for row in rows:
        counts[row["part"]] = counts.get(row["part"], 0) + row["count"]
        amounts.setdefault(row["part"], []).extend(_amounts({row["currency"]: (row["count"], row["amount"])}))
    total = sum(counts.values())
    reasons = [
        LossOut(reason=reason, deals=count, share=rate(count, total), amounts=amounts[reason])
        for reason, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]
    return LossesOut(deals=total, reasons=reasons)


def _order(key: tuple[object, ...]) -> tuple[object, ...]:
    period, *values = key
    return (period or date.min, *map(str, values))


def _within(stretch: Stretch, pipeline_id: UUID | None) -> Stretch:
    if pipeline_id is None:
        return stretch
    filters = {**stretch.filters, "pipeline_id": pipeline_id}
    return Stretch(stretch.day_from, stretch.day_to, stretch.granularity, filters)


async def _read(
    tx: Transaction, org: UUID, stretch: Stretch, metric: SalesMetric, keys: tuple[str, ...] = ()
) -> list[Row]:
    question = Question(
        metric, stretch.day_from, stretch.day_to, stretch.granularity, keys, filters=stretch.filters
    )
    rows = await read_groups(tx, org, question, MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        raise UnprocessableError("That gives too many groups: ask for fewer days or dimensions.")
    return rows


def _leads(period: date | None, found: Conversion) -> LeadsOut:
    return LeadsOut(
        period=period,
        created=found.created,
        won=found.won,
        unqualified=found.unqualified,
        open=found.open,
        conversion_rate=rate(found.won, found.created),
        converted=found.time.count,
        period_rate=rate(found.time.count, found.created),
        time_to_convert=_time(found.time),
    )


def _deals(keys: tuple[str, ...], key: tuple[object, ...], found: Trade) -> DealsOut:
    period, *values = key
    told = dict(zip(keys, values, strict=True))
    for name in ("pipeline_id", "owner_id"):
        if isinstance(value := told.get(name), UUID):
            told[name] = shown_id(value)
    return DealsOut.model_validate(
        told
        | {
            "period": period,
            "created": found.created,
            "created_won": found.created_won,
            "created_lost": found.created_lost,
            "conversion_rate": rate(found.created_won, found.created),
            "won": found.cycle.count,
            "lost": found.lost,
            "win_rate": rate(found.cycle.count, found.cycle.count + found.lost),
            "revenue": _amounts(found.revenue),
            "cycle": _time(found.cycle),
        }
    )


def _amounts(found: dict[str, tuple[int, Decimal]]) -> list[Amount]:
    return [
        Amount(currency=currency, deals=deals, amount_minor=int(total), average_minor=round(total / deals))
        for currency, (deals, total) in sorted(found.items())
        if currency and deals
    ]


def _time(took: Durations) -> Time:
    return Time(
        mean_seconds=took.mean_seconds,
        p50_seconds=took.share(0.5),
        p90_seconds=took.share(0.9),
        p95_seconds=took.share(0.95),
    )


def _stage(found: Passage) -> StageOut:
    return StageOut(
        stage_id=found.place.id,
        name=found.place.name,
        kind=found.place.kind,
        position=found.place.position,
        archived=found.place.archived,
        reached=found.reached,
        entered=found.entered,
        left_forward=found.left_forward,
        left_back=found.left_back,
        left_lost=found.left_lost,
        conversion_rate=rate(found.left_forward, found.left),
        time_in_stage=_time(found.time),
    )
