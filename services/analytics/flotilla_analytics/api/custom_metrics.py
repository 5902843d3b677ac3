"""/v1/metrics/custom: metrics that people and partners define, and their points."""

from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Request, Response
from flotilla.events.analytics import MetricPoint, MetricRecorded
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Row, Transaction
from pydantic import AwareDatetime, BaseModel, Field

from flotilla_analytics.api.periods import StretchQuery
from flotilla_analytics.api.values import EARLIEST, LATEST, Line, Number, Slug, shown_decimal
from flotilla_analytics.asking import Wanted, ask
from flotilla_analytics.domain.measures import custom
from flotilla_analytics.goals import AUDIENCE, numbers_moved
from flotilla_analytics.store import measures as store

routes = Routes("/v1/metrics/custom", tag="analytics")

ORDERS: Final = {**BY_TIME, **BY_NAME}
MOST_METRICS: Final = 200
MOST_POINTS: Final = 1_000
POINTS_AN_EVENT: Final = 200
MOST_GROUPS: Final = 2_000


class MetricIn(Written):
    """A new metric."""

    name: Slug = Field(description="By which reports and goals know it: `custom:<name>`. It stays.")
    title: Line
    unit: Line = "count"
    aggregation: Literal["sum", "average", "count"] = "sum"


class MetricPatch(Patch):
    """What shall be called otherwise."""

    title: Line = ""
    unit: Line = ""


class MetricOut(Shown):
    """A metric that somebody defined."""

    id: UUID
    name: str
    title: str
    unit: str
    aggregation: str
    created_at: AwareDatetime


class PointIn(Written):
    """One measurement."""

    id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$")] = Field(
        description="Your own name for it: the same is taken once."
    )
    at: AwareDatetime
    value: Number


class PointsIn(Written):
    """Measurements."""

    points: Annotated[list[PointIn], Field(min_length=1, max_length=MOST_POINTS)]


class PointsOut(BaseModel):
    """What became of them."""

    recorded: int
    known: int = Field(description="Taken before; they stay as they were.")


class ValueOut(BaseModel):
    """The points of one period together."""

    period: date | None
    count: int
    value: str | None


@routes.post("", permission="analytics:write", status_code=201, audited="values")
async def define_metric(body: MetricIn, tx: Tx, who: Who, response: Response) -> MetricOut:
    """Define a metric, to record points of."""
    if await store.count_metrics(tx, who.org) >= MOST_METRICS:
        raise ConflictError(f"There are {MOST_METRICS} already.")
    fields = (body.name, body.title, body.unit, body.aggregation)
    row = await store.add_metric(tx, who.org, tx.app.new_id(), fields)
    if row is None:
        raise ConflictError("There is a metric with this name.")
    set_etag(response, row["sequence"])
    response.headers["Location"] = f"/v1/metrics/custom/{row['id']}"
    return _shown(row)


@routes.get("", permission="analytics:read")
async def list_custom_metrics(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[MetricOut]:
    """The newest first, or as `sort` says."""
    order = ORDERS[sort]
    rows = await store.list_metrics(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([_shown(row) for row in rows], sort, order)


@routes.get("/{metric_id}", permission="analytics:read")
async def read_custom_metric(metric_id: UUID, tx: Tx, who: Who, response: Response) -> MetricOut:
    """One."""
    row = await _there(tx, who.org, metric_id)
    set_etag(response, row["sequence"])
    return _shown(row)


@routes.patch("/{metric_id}", permission="analytics:write")
async def rename_metric(
    metric_id: UUID, body: MetricPatch, tx: Tx, who: Who, request: Request, response: Response
) -> MetricOut:
    """Call it otherwise."""
    before = await _there(tx, who.org, metric_id, lock=True)
    check_if_match(request, before["sequence"])
    wanted = {**before, **body.model_dump(include=body.model_fields_set)}
    row = await store.save_metric(tx, who.org, metric_id, wanted["title"], wanted["unit"])
    set_etag(response, row["sequence"])
    note_change(_shown(before), _shown(row))
    return _shown(row)


@routes.post("/{metric_id}/points", permission="analytics:write")
async def record_points(metric_id: UUID, body: PointsIn, tx: Tx, who: Who) -> PointsOut:
    """Record points. Those with an id that was recorded before are left alone, so a batch may be sent again."""
    for place, point in enumerate(body.points):
        if not EARLIEST <= point.at.date() < LATEST:
            errors = [{"pointer": f"/points/{place}/at", "detail": f"between {EARLIEST} and {LATEST}"}]
            raise UnprocessableError("Correct the time.", errors=errors)
    metric = await _there(tx, who.org, metric_id, lock=True)
    points = [(point.id, point.at, point.value) for point in body.points]
    fresh = await store.add_points(tx, who.org, metric, points)
    await _tell(tx, who.org, metric, fresh)
    await numbers_moved(tx, [who.org])
    return PointsOut(recorded=len(fresh), known=len(points) - len(fresh))


@routes.get("/{metric_id}/values", permission="analytics:read")
async def read_metric_values(metric_id: UUID, tx: Tx, who: Who, stretch: StretchQuery) -> list[ValueOut]:
    """Its points of each period together."""
    row = await _there(tx, who.org, metric_id)
    measure = custom(row["name"], row["title"], row["unit"], row["aggregation"])
    wanted = Wanted(measure, stretch.day_from, stretch.day_to, stretch.granularity)
    return [
        ValueOut(period=figure.period, count=figure.count, value=shown_decimal(figure.value))
        for figure in await ask(tx, who.org, wanted, MOST_GROUPS)
    ]


async def _tell(tx: Transaction, org: UUID, metric: Row, fresh: list[Row]) -> None:
    """In events of a size that the bus takes."""
    parts = [fresh[place : place + POINTS_AN_EVENT] for place in range(0, len(fresh), POINTS_AN_EVENT)]
    if not parts:
        return
    last = await store.count_up_metric(tx, org, metric["id"], len(parts))
    for sequence, part in enumerate(parts, last - len(parts) + 1):
        points = [MetricPoint(point_id=row["id"], at=row["at"], value=f"{row['value']:f}") for row in part]
        fact = MetricRecorded(
            metric_id=metric["id"],
            name=metric["name"],
            unit=metric["unit"],
            aggregation=metric["aggregation"],
            points=points,
        )
        tx.emit(fact, org=org, sequence=sequence, audience=AUDIENCE)


async def _there(tx: Transaction, org: UUID, metric_id: UUID, *, lock: bool = False) -> Row:
    row = await store.read_metric(tx, org, metric_id, lock=lock)
    if row is None:
        raise NotFoundError("There is no metric with this id.")
    return row


def _shown(row: Row) -> MetricOut:
    return MetricOut.model_validate(dict(row))
