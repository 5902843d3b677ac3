"""/v1/rules/backtests: a rule tried on everything that has happened, as the archive has it."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME
from pydantic import AwareDatetime, Field

from flotilla_automation import backtests
from flotilla_automation.api.rules import checked
from flotilla_automation.api.schemas import ACTIONS, CONDITION
from flotilla_automation.store import backtests as store

routes = Routes("/v1/rules/backtests", tag="rules")


class BacktestIn(Written):
    """A rule to try."""

    trigger: Annotated[str, Field(max_length=100, examples=["message.received.v1"])]
    condition: Annotated[dict[str, Any] | None, Field(description=CONDITION)] = None
    actions: Annotated[list[dict[str, Any]], Field(description=ACTIONS)]
    since: AwareDatetime | None = Field(default=None, description="Only what happened then or later.")


class ExampleOut(Shown):
    """An event that the rule would have run for."""

    event_id: UUID
    subject: str
    time: datetime
    actions: list[str] = Field(description="Their kinds; their texts are not kept.")
    unfit: str | None = Field(description="What the event does not hold that an action needs.")


class BacktestOut(Shown):
    """A rule, tried: nothing was asked for, sent or changed."""

    id: UUID
    trigger: str
    since: datetime | None
    state: Literal["reading", "done", "failed"]
    reason: str | None
    looked: int = Field(description="Events of its trigger.")
    matched: int = Field(description="For which it would have run.")
    nearly: int = Field(description="From which one comparison alone kept it.")
    unfit: int = Field(description="For which it would have run, and failed.")
    examples: list[ExampleOut] = Field(description="The newest that matched, at most fifty.")
    begun_at: datetime
    ended_at: datetime | None


@routes.post("", permission="rules:write", status_code=202)
async def begin_backtest(wanted: BacktestIn, tx: Tx, who: Who, response: Response) -> BacktestOut:
    """Try a rule on the archive. It is read in the background: ask again for what was found. One at a time."""
    plan = checked(wanted.trigger, wanted.condition, wanted.actions, None)
    said = (wanted.trigger, wanted.condition, wanted.actions, wanted.since)
    row = await backtests.begin(tx, who.org, plan, said)
    response.headers["Location"] = f"/v1/rules/backtests/{row['id']}"
    return BacktestOut(**dict(row))


@routes.get("", permission="rules:read")
async def list_backtests(
    tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[BacktestOut]:
    """What was tried in the last days, the newest first, or as `sort` says."""
    order = BY_TIME[sort]
    rows = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([BacktestOut(**dict(row)) for row in rows], sort, order)


@routes.get("/{backtest_id}", permission="rules:read")
async def read_backtest(backtest_id: UUID, tx: Tx, who: Who) -> BacktestOut:
    """How far it is, and what was found."""
    row = await store.read(tx, who.org, backtest_id)
    if row is None:
        raise NotFoundError("There is no backtest with this id.")
    return BacktestOut(**dict(row))
