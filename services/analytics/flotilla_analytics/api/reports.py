"""/v1/reports: saved questions, made on request or by schedule, as files. /v1/measures: what can be asked."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Request, Response
from fastapi.responses import StreamingResponse
from flotilla.http import (
    ConflictError,
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.bodies import file_answer
from flotilla.http.sorting import ByTime, ByTimeOrName
from flotilla.problems import GoneError
from flotilla.store.order import BY_NAME, BY_TIME, NEWEST
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics import reporting
from flotilla_analytics.api.report_schemas import MeasureOut, ReportIn, ReportOut, RunDetailOut, RunOut
from flotilla_analytics.asking import checked
from flotilla_analytics.domain.exports import CONTENT_TYPES
from flotilla_analytics.domain.measures import CUSTOM, MEASURES, custom
from flotilla_analytics.links import Kind, Token
from flotilla_analytics.resources import Resources
from flotilla_analytics.store import measures as measure_store
from flotilla_analytics.store import reports as store

routes = Routes("/v1/reports", tag="analytics")
measures = Routes("/v1/measures", tag="analytics")

ORDERS: Final = {**BY_TIME, **BY_NAME}
MOST_REPORTS: Final = 200
MOST_RUNNING: Final = 5
LINK_SECONDS: Final = 3_600
FILES: Final = "/v1/reports/files"


@measures.get("", permission="analytics:read")
async def list_measures(tx: Tx, who: Who) -> list[MeasureOut]:
    """What reports and goals may be about; metrics that the organization defined come last."""
    rows = await measure_store.list_metrics(tx, who.org, NEWEST, None, 1_000)
    own = [custom(row["name"], row["title"], row["unit"], row["aggregation"]) for row in rows]
    return [
        MeasureOut(name=each.name, title=each.title, unit=each.unit, dimensions=list(each.dimensions))
        for each in (*MEASURES.values(), *sorted(own, key=lambda each: each.name.removeprefix(CUSTOM)))
    ]


@routes.post("", permission="analytics:write", status_code=201, audited="values")
async def save_report(body: ReportIn, tx: Tx, who: Who, response: Response) -> ReportOut:
    """Save a question; with a schedule it is asked by itself."""
    if await store.count(tx, who.org) >= MOST_REPORTS:
        raise ConflictError(f"There are {MOST_REPORTS} already.")
    fields = await _fields(tx, who.org, body)
    row = await store.add(tx, who.org, tx.app.new_id(), who.user_id, fields)
    await reporting.set_schedule(tx, row)
    set_etag(response, row["sequence"])
    response.headers["Location"] = f"/v1/reports/{row['id']}"
    return _report(row)


@routes.get("", permission="analytics:read")
async def list_reports(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[ReportOut]:
    """The newest first, or as `sort` says."""
    order = ORDERS[sort]
    rows = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([_report(row) for row in rows], sort, order)


@routes.get(
    "/files/{token}",
    permission="public",
    limit="open",
    response_class=Response,
    responses=file_answer(*CONTENT_TYPES.values()),
)
async def fetch_report_file(token: Annotated[str, Path(max_length=200)], app: CurrentApp) -> Response:
    """The file of a link that `url` of a run gave."""
    own: Resources = app.own
    found = own.links.read(token, Kind.FILE)
    if found is None:
        raise NotFoundError("There is no such link.")
    if found.ends < time.time():
        raise GoneError("The link is no longer good: ask for the run again to get another.")
    async with app.db.transaction(found.org) as tx:
        run = await store.read_run(tx, found.org, found.id)
    if run is None or run["state"] != "ready":
        raise GoneError("The file was removed.")
    path = reporting.path_of(found.org, run["id"], run["format"])
    if await own.files.size(path) is None:
        raise GoneError("The file was removed.")
    headers = {
        "Content-Disposition": f'attachment; filename="report-{run["day_from"]}.{run["format"]}"',
        "Cache-Control": "no-store, private",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return StreamingResponse(own.files.read(path), 200, headers, CONTENT_TYPES[run["format"]])


@routes.get("/{report_id}", permission="analytics:read")
async def read_report(report_id: UUID, tx: Tx, who: Who, response: Response) -> ReportOut:
    """One."""
    row = await _there(tx, who.org, report_id)
    set_etag(response, row["sequence"])
    return _report(row)


@routes.put("/{report_id}", permission="analytics:write")
async def change_report(
    report_id: UUID, body: ReportIn, tx: Tx, who: Who, request: Request, response: Response
) -> ReportOut:
    """Ask something else, or at other times; runs that were begun are not touched."""
    before = await _there(tx, who.org, report_id, lock=True)
    check_if_match(request, before["sequence"])
    row = await store.save(tx, who.org, report_id, await _fields(tx, who.org, body))
    await reporting.set_schedule(tx, row)
    set_etag(response, row["sequence"])
    note_change(_report(before), _report(row))
    return _report(row)


@routes.delete("/{report_id}", permission="analytics:write", status_code=204)
async def delete_report(report_id: UUID, tx: Tx, who: Who, request: Request) -> None:
    """Keep it no longer, nor its runs; their links end at once."""
    row = await _there(tx, who.org, report_id, lock=True)
    check_if_match(request, row["sequence"])
    await store.delete(tx, who.org, report_id)
    await reporting.set_schedule(tx, {**row, "schedule": None})
    note_change(_report(row), None)


@routes.post("/{report_id}/runs", permission="analytics:read", status_code=202)
async def run_report(report_id: UUID, tx: Tx, who: Who) -> RunOut:
    """Have it made; who asked is told when it is ready (`report.ready.v1`, and a notification)."""
    report = await _there(tx, who.org, report_id, lock=True)
    if await store.running(tx, who.org, report_id) >= MOST_RUNNING:
        raise ConflictError(f"{MOST_RUNNING} runs of it are under way.")
    return RunOut.model_validate(dict(await reporting.begin(tx, report, who.user_id)))


@routes.get("/{report_id}/runs", permission="analytics:read")
async def list_report_runs(
    report_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[RunOut]:
    """The newest first, or as `sort` says."""
    await _there(tx, who.org, report_id)
    order = BY_TIME[sort]
    after = query.place(sort, order)
    rows = await store.list_runs(tx, who.org, report_id, order, after, query.limit + 1)
    return query.page([RunOut.model_validate(dict(row)) for row in rows], sort, order)


@routes.get("/{report_id}/runs/{report_run_id}", permission="analytics:read")
async def read_report_run(
    report_id: UUID, report_run_id: UUID, tx: Tx, who: Who, response: Response
) -> RunDetailOut:
    """One, with a link to its file while it is there."""
    row = await store.read_run(tx, who.org, report_run_id)
    if row is None or row["report_id"] != report_id:
        raise NotFoundError("There is no run with this id.")
    set_etag(response, row["sequence"])
    return RunDetailOut.model_validate({**row, "url": _url(tx, row)})


def _url(tx: Transaction, run: Row) -> str | None:
    if run["state"] != "ready":
        return None
    own: Resources = tx.app.own
    ends = min(int(time.time()) + LINK_SECONDS, int(run["expires_at"].timestamp()))
    return own.links.address(FILES, Token(Kind.FILE, run["organization_id"], run["id"], ends))


async def _fields(tx: Transaction, org: UUID, body: ReportIn) -> tuple[Any, ...]:
    """As the table has them; a 422 problem where it cannot be asked."""
    await checked(tx, org, body.measure, tuple(body.dimensions), body.filters)
    return (
        body.name,
        body.measure,
        body.dimensions,
        body.filters,
        body.granularity,
        body.period,
        body.format,
        body.schedule.model_dump() if body.schedule else None,
        sorted(set(body.recipients)),
    )


async def _there(tx: Transaction, org: UUID, report_id: UUID, *, lock: bool = False) -> Row:
    row = await store.read(tx, org, report_id, lock=lock)
    if row is None:
        raise NotFoundError("There is no report with this id.")
    return row


def _report(row: Mapping[str, Any]) -> ReportOut:
    return ReportOut.model_validate(dict(row))
