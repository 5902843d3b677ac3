"""A service's sagas over HTTP: list them, read one step by step, decide on one that is stuck."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from flotilla.http.etags import set_etag
from flotilla.http.pages import Page, PageQuery
from flotilla.http.routes import Routes
from flotilla.http.sorting import ByTime
from flotilla.http.work import RequestWork, Tx, Who, Work
from flotilla.problems import ConflictError, NotFoundError
from flotilla.sagas import store
from flotilla.sagas.machine import SagaState
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Row, Transaction

State = Literal["running", "compensating", "stuck", "done", "undone"]


class StepOut(BaseModel):
    """A step: what was asked for, and what came of it."""

    name: str
    state: Literal["waiting", "skipped", "asked", "done", "failed", "undoing", "undone", "stuck", "kept"]
    undoable: bool
    request_id: UUID | None
    undo_request_id: UUID | None
    undo_attempts: int
    reason: str | None
    late: bool
    asked_at: datetime | None
    answered_at: datetime | None


class SagaOut(BaseModel):
    """A saga with its steps in order."""

    id: UUID
    kind: str
    subject_id: UUID
    state: State
    reason: str | None
    steps: list[StepOut]
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None


def saga_routes(service: str) -> Routes:
    """The routes of one service's sagas."""
    routes = Routes(f"/v1/sagas/{service}", tag="sagas")

    @routes.get("", permission="sagas:read")
    async def list_sagas(
        tx: Tx,
        who: Who,
        query: PageQuery,
        state: State | None = None,
        subject_id: UUID | None = None,
        sort: ByTime = "-created_at",
    ) -> Page[SagaOut]:
        """The newest first, or as `sort` says; `subject_id` is what it is about, the deal for instance."""
        order, filters = BY_TIME[sort], {"state": state, "subject_id": subject_id}
        rows = await store.listing(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
        return query.page([_shown(row) for row in rows], sort, order)

    @routes.get("/{saga_id}", permission="sagas:read")
    async def read_saga(saga_id: UUID, tx: Tx, who: Who, response: Response) -> SagaOut:
        """One saga, step by step."""
        return await _read(tx, who.org, saga_id, response)

    @routes.post("/{saga_id}/retry", permission="sagas:write")
    async def retry_saga(saga_id: UUID, work: Work, response: Response) -> SagaOut:
        """Ask again for the undo that is stuck."""
        return await _decide(work, saga_id, response, keep=False)

    @routes.post("/{saga_id}/leave", permission="sagas:write")
    async def leave_saga(saga_id: UUID, work: Work, response: Response) -> SagaOut:
        """Leave the step that is stuck as it is, and undo the others."""
        return await _decide(work, saga_id, response, keep=True)

    return routes


async def _decide(work: RequestWork, saga_id: UUID, response: Response, *, keep: bool) -> SagaOut:
    tx = await work.begin()
    found = await store.lock(tx, work.who.org, saga_id)
    if found is None:
        raise _unknown()
    kind, held = found
    if held.saga.state is not SagaState.STUCK:
        raise ConflictError(f"Only a saga that is stuck needs a decision; this one is {held.saga.state}.")
    declared = next(each for each in work.app.service.sagas if each.name == kind)
    await declared.decide(tx, held, keep=keep, cause=work.cause)
    return await _read(tx, work.who.org, saga_id, response)


async def _read(tx: Transaction, org: UUID, saga_id: UUID, response: Response) -> SagaOut:
    row = await store.read(tx, org, saga_id)
    if row is None:
        raise _unknown()
    set_etag(response, row["sequence"])
    return _shown(row)


def _shown(row: Row) -> SagaOut:
    return SagaOut.model_validate(dict(row))


def _unknown() -> NotFoundError:
    return NotFoundError("There is no saga with this id.")
