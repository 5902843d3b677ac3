"""Reports made: asked of the roll-ups, written to the file store, told, and removed when their time is over.

A run is a leased job. The file is written before the run is said to be ready, under a name that is the run's own: a
process that dies between the two leaves a file that the next attempt writes again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, TimerKind
from flotilla.events.analytics import ReportReady
from flotilla.events.websocket import NotificationRequested
from flotilla.http import UnprocessableError
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.asking import Wanted, ask, measure_named
from flotilla_analytics.domain.exports import pieces
from flotilla_analytics.domain.periods import Granularity
from flotilla_analytics.domain.reports import Period, Schedule, days_of
from flotilla_analytics.domain.sales_facts import NONE
from flotilla_analytics.resources import Resources
from flotilla_analytics.store import measures, reports

RUN: Final = "report_run"
DUE: Final = "report_due"
EXPIRED: Final = "report_expired"
REMOVE: Final = "report_remove"
MOST_ROWS: Final = 50_000
KEPT: Final = timedelta(days=7)
READY: Final = "report.ready"
FAILED: Final = "report.failed"


class RunPayload(msgspec.Struct, frozen=True):
    """Which run."""

    run_id: UUID


class DuePayload(msgspec.Struct, frozen=True):
    """Which report, as it stood when the timer was set."""

    report_id: UUID


@dataclass(frozen=True)
class Written:
    """What a run wrote; no rows: why it wrote nothing."""

    rows: int = 0
    size: int = 0
    reason: str | None = None


def path_of(org: UUID, run_id: UUID, format_: str) -> str:
    """Where a run's file lies."""
    return f"{org}/{_folder(run_id)}/report.{format_}"


def _folder(run_id: UUID) -> str:
    return f"sales-reports/{run_id}"


async def begin(tx: Transaction, report: Row, asked_by: UUID | None) -> Row:
    """Have a report made."""
    days = days_of(Period(report["period"]), await measures.today(tx))
    run = await reports.begin_run(tx, tx.app.new_id(), report, days, asked_by)
    tx.enqueue(RUN, str(run["id"]), RunPayload(run["id"]), org=report["organization_id"])
    return run


async def set_schedule(tx: Transaction, report: Row) -> None:
    """Make it by itself the next time its schedule says so, or no more."""
    org, key = report["organization_id"], str(report["id"])
    if report["schedule"] is None:
        tx.cancel_timer(DUE, key)
        return
    schedule = msgspec.convert(report["schedule"], Schedule)
    tx.set_timer(DUE, key, schedule.next_after(await reports.now(tx)), DuePayload(report["id"]), org=org)


async def _perform(app: App, job: Job) -> Written:
    """Ask, and write the file."""
    async with app.db.transaction(job.org) as tx:
        run = await reports.read_run(tx, job.org, job.payload.run_id)
        report = None if run is None else await reports.read(tx, job.org, run["report_id"])
        if run is None or report is None:
            return Written(reason="deleted")
        try:
            columns, rows = await _table(tx, run, report)
        except UnprocessableError as error:
            return Written(reason=error.detail)
    if len(rows) > MOST_ROWS:
        return Written(reason=f"It has more than {MOST_ROWS} rows: ask for fewer days or dimensions.")
    own: Resources = app.own
    size = 0
    async with own.files.writing(path_of(job.org, run["id"], run["format"])) as file:
        making = pieces(run["format"], columns, rows)
        # In a thread: a long table takes a second or so, in which the service answers others.
        while piece := await asyncio.to_thread(next, making, b""):
            await file.write(piece)
            size += len(piece)
    return Written(len(rows), size)


async def _table(tx: Transaction, run: Row, report: Row) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """The columns and rows: the period, the dimensions, how many and the value."""
    org = report["organization_id"]
    measure = await measure_named(tx, org, report["measure"])
    if measure is None:
        raise UnprocessableError("Its metric is no more.")
    wanted = Wanted(
        measure,
        run["day_from"],
        run["day_to"],
        Granularity(report["granularity"]),
        tuple(report["dimensions"]),
        report["filters"],
    )
    figures = await ask(tx, org, wanted, MOST_ROWS + 1)
    columns = ["period_from", *report["dimensions"], "count", f"{measure.name} ({measure.unit})"]
    rows = [
        (
            str(each.period or run["day_from"]),
            *map(_cell, each.dimensions),
            each.count,
            _number(each.value),
        )
        for each in figures
    ]
    return columns, rows


def _cell(value: object) -> str | None:
    return None if value in (NONE, "", None) else str(value)


def _number(value: Decimal | None) -> Decimal | int | None:
    """Whole numbers as such."""
    return int(value) if value is not None and value == value.to_integral_value() else value


async def _finish(tx: Transaction, job: Job, written: Written) -> None:
    if written.reason is not None:
        await _end_without(tx, job, written.reason)
        return
    run_id: UUID = job.payload.run_id
    run = await reports.ready(tx, job.org, run_id, written.rows, written.size, KEPT)
    # The file goes in any case, also where the report was deleted while it was written.
    tx.set_timer(EXPIRED, str(run_id), await reports.now(tx) + KEPT, RunPayload(run_id), org=job.org)
    report = None if run is None else await reports.read(tx, job.org, run["report_id"])
    if run is None or report is None:
        return
    people = sorted({*report["recipients"], *([run["requested_by"]] if run["requested_by"] else [])})
    fact = ReportReady(
        run_id=run_id,
        report_id=report["id"],
        name=report["name"],
        measure=report["measure"],
        day_from=run["day_from"],
        day_to=run["day_to"],
        format=run["format"],
        rows=written.rows,
        size=written.size,
        requested_by=run["requested_by"],
        expires_at=run["expires_at"],
    )
    audience = " ".join(f"user:{person}" for person in people) or None
    tx.emit(fact, org=job.org, sequence=run["sequence"], audience=audience)
    _notify(tx, job, report, run, READY, people)


async def _end_without(tx: Transaction, job: Job, reason: str) -> None:
    run = await reports.failed(tx, job.org, job.payload.run_id, reason)
    report = None if run is None else await reports.read(tx, job.org, run["report_id"])
    if run is not None and report is not None:
        asked_by = run["requested_by"] or report["created_by"]
        _notify(tx, job, report, run, FAILED, [asked_by], reason)


async def _give_up(tx: Transaction, job: Job, error: Exception) -> None:
    await _end_without(tx, job, f"It could not be written: {type(error).__name__}.")


def _notify(
    tx: Transaction,
    job: Job,
    report: Row,
    run: Row,
    kind: str,
    people: Sequence[UUID],
    reason: str | None = None,
) -> None:
    days = f"{run['day_from']} – {run['day_to'] - timedelta(days=1)}"
    for person in people:
        notification_id = tx.app.new_id()
        wish = NotificationRequested(
            notification_id=notification_id,
            user_id=person,
            kind=kind,
            title=report["name"],
            text=reason or days,
            link=f"/reports/{report['id']}/runs/{run['id']}",
            params={"name": report["name"], "days": days},
        )
        cause = replace(job.cause, request_id=notification_id)
        tx.emit(wish, org=job.org, sequence=1, cause=cause, audience=f"user:{person}")


async def _due(tx: Transaction, job: Job) -> None:
    """Its time has come: make it, and set the next."""
    report = await reports.read(tx, job.org, job.payload.report_id, lock=True)
    if report is not None and report["schedule"] is not None:
        await begin(tx, report, None)
        await set_schedule(tx, report)


async def _expire(tx: Transaction, job: Job) -> None:
    """The file's time is over: have it removed."""
    await reports.expire(tx, job.org, job.payload.run_id)
    tx.enqueue(REMOVE, job.key, job.payload, org=job.org)


async def _remove(app: App, job: Job) -> None:
    own: Resources = app.own
    await own.files.delete(job.org, _folder(job.payload.run_id))


async def _removed(tx: Transaction, job: Job, result: None) -> None:
    """Nothing is left of it."""


async def _not_removed(tx: Transaction, job: Job, error: Exception) -> None:
    """Try again tomorrow."""
    tx.set_timer(
        EXPIRED, job.key, await reports.now(tx) + timedelta(days=1), job.payload, org=job.org, cause=job.cause
    )


run_report = JobKind(
    RUN, RunPayload, _perform, _finish, _give_up, lease=timedelta(seconds=120), concurrency=2
)
remove_file = JobKind(REMOVE, RunPayload, _remove, _removed, _not_removed, concurrency=1)
report_due = TimerKind(DUE, DuePayload, _due)
report_expired = TimerKind(EXPIRED, RunPayload, _expire)
