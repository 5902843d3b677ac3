"""Checks, snapshots and evidence, under /v1/counterparties/{id}."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown, file_answer
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Row, Transaction
from pydantic import AwareDatetime

from flotilla_kyb import commands
from flotilla_kyb.api import evidence
from flotilla_kyb.api.values import Level, Severity, State, Verdict, there
from flotilla_kyb.store import checks as store
from flotilla_kyb.store.checks import Check

checks = Routes("/v1/counterparties/{counterparty_id}", tag="counterparties")


class ResultOut(Shown):
    """What a register said in this check; no verdict while it is waited for."""

    source: str
    verdict: Verdict | None
    reason: str | None
    fields: dict[str, str | None]
    ended_at: AwareDatetime | None


class CheckOut(Shown):
    """One round of questions to the registers."""

    id: UUID
    counterparty_id: UUID
    reason: Literal["created", "changed", "asked", "scheduled", "unanswered"]
    state: Literal["running", "ended", "superseded"]
    actor: str | None
    started_at: AwareDatetime
    deadline_at: AwareDatetime
    ended_at: AwareDatetime | None


class CheckWithResults(CheckOut):
    """A check and what came of it."""

    asked: dict[str, str | None]
    results: list[ResultOut]


class ReasonOut(Shown):
    """What adds to the risk."""

    type: str
    severity: Severity
    points: int
    detail: str


class SourceOut(Shown):
    """A register's part in a snapshot; what it said is as old as `confirmed_at`."""

    source: str
    verdict: Verdict
    reason: str | None
    confirmed_at: AwareDatetime | None


class FieldOut(Shown):
    """A field as a register has it; `check_id` is the check whose evidence shows it."""

    value: str | None
    source: str
    check_id: UUID | None
    confirmed_at: AwareDatetime | None
    stale: bool


class SnapshotOut(Shown):
    """All that was known when a check ended, and what was different from before."""

    id: UUID
    counterparty_id: UUID
    check_id: UUID
    taken_at: AwareDatetime
    state: State
    risk_score: int
    risk_level: Level
    reasons: list[ReasonOut]
    sources: list[SourceOut]
    fields: dict[str, FieldOut]
    changed: dict[str, list[Any]]


@checks.post("/checks", permission="counterparties:write", status_code=202, feature="kyb")
async def check_counterparty(counterparty_id: UUID, tx: Tx, who: Who, response: Response) -> CheckOut:
    """Ask the registers now. Where a check is running already, that one is answered."""
    counterparty = await there(tx, who.org, counterparty_id, lock=True)
    check = await commands.check_now(tx, who, counterparty)
    response.headers["Location"] = f"/v1/counterparties/{counterparty_id}/checks/{check.id}"
    return CheckOut.model_validate(check)


@checks.get("/checks", permission="counterparties:read")
async def list_checks(
    counterparty_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[CheckOut]:
    """The newest first, or as `sort` says."""
    await there(tx, who.org, counterparty_id)
    order = BY_TIME[sort]
    after = query.place(sort, order)
    found = await store.list_checks(tx, who.org, counterparty_id, order, after, query.limit + 1)
    return query.page([CheckOut.model_validate(check) for check in found], sort, order)


@checks.get("/checks/{check_id}", permission="counterparties:read")
async def read_check(counterparty_id: UUID, check_id: UUID, tx: Tx, who: Who) -> CheckWithResults:
    """One check and what each register said."""
    check = await _check(tx, who.org, counterparty_id, check_id)
    results = [ResultOut(**dict(row)) for row in await tx.fetch(store.RESULTS, who.org, check_id)]
    return CheckWithResults(**vars(check), results=results)


@checks.get(
    "/checks/{check_id}/evidence",
    permission="counterparties:read",
    response_class=Response,
    responses=file_answer("application/json", "text/csv"),
)
async def read_check_evidence(
    counterparty_id: UUID,
    check_id: UUID,
    tx: Tx,
    who: Who,
    as_: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """The evidence of one check as a file: as JSON with every raw answer, its hash and time; as CSV a line a field."""
    check = await _check(tx, who.org, counterparty_id, check_id)
    results: list[Row] = await tx.fetch(store.RESULTS, who.org, check_id)
    answers: list[Row] = await tx.fetch(store.EVIDENCE, who.org, check_id)
    body = evidence.as_json(check, results, answers) if as_ == "json" else evidence.as_csv(results, answers)
    media_type = "application/json" if as_ == "json" else "text/csv; charset=utf-8"
    name = f'attachment; filename="evidence-{check_id}.{as_}"'
    return Response(body, media_type=media_type, headers={"Content-Disposition": name})


@checks.get("/snapshots", permission="counterparties:read")
async def list_snapshots(
    counterparty_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[SnapshotOut]:
    """The newest first, or as `sort` says."""
    await there(tx, who.org, counterparty_id)
    order = BY_TIME[sort]
    after = query.place(sort, order)
    rows = await store.list_snapshots(tx, who.org, counterparty_id, order, after, query.limit + 1)
    return query.page([SnapshotOut(**dict(row)) for row in rows], sort, order)


@checks.get("/snapshots/{snapshot_id}", permission="counterparties:read")
async def read_snapshot(counterparty_id: UUID, snapshot_id: UUID, tx: Tx, who: Who) -> SnapshotOut:
    """One snapshot."""
    row = await tx.fetchrow(store.READ_SNAPSHOT, who.org, counterparty_id, snapshot_id)
    if row is None:
        raise NotFoundError("There is no snapshot with this id.")
    return SnapshotOut(**dict(row))


async def _check(tx: Transaction, org: UUID, counterparty_id: UUID, check_id: UUID) -> Check:
    check = await store.one(tx, store.READ, org, counterparty_id, check_id)
    if check is None:
        raise NotFoundError("There is no check with this id.")
    return check
