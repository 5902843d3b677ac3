"""/v1/goals: how far a measure shall come in each period."""

from datetime import date
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

from fastapi import Request, Response
from flotilla.http import (
    ConflictError,
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
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Row, Transaction
from pydantic import AwareDatetime, BaseModel, Field

from flotilla_analytics.api.values import Day, Filters, Line, MeasureName, Number, shown_decimal
from flotilla_analytics.asking import checked
from flotilla_analytics.domain.periods import Granularity, begin_of, end_of
from flotilla_analytics.goals import figure_of, goal_set
from flotilla_analytics.store import measures as store

routes = Routes("/v1/goals", tag="analytics")

ORDERS: Final = {**BY_TIME, **BY_NAME}
MOST_GOALS: Final = 100
SHOWN_PERIODS: Final = 24


class GoalIn(Written):
    """A new goal."""

    name: Line
    measure: MeasureName = Field(description="One of /v1/measures, or `custom:<name>`.")
    filters: Filters = Field(default={}, description="Dimension → the only value that counts.")
    target: Number = Field(gt=0, description="Amounts in the currency's smallest unit.")
    granularity: Literal["day", "week", "month", "quarter", "year"] = "month"
    begins_on: Day | None = Field(default=None, description="Of its first period; none: this one.")
    owner_id: UUID | None = None


class GoalPatch(Patch):
    """What shall be different."""

    name: Line = ""
    target: Number = Field(default=Decimal(1), gt=0)


class GoalOut(Shown):
    """A goal."""

    id: UUID
    name: str
    measure: str
    filters: dict[str, str]
    target: str
    granularity: str
    begins_on: date
    owner_id: UUID | None
    created_at: AwareDatetime


class Reached(BaseModel):
    """A period in which it was reached."""

    period_from: date
    value: str
    reached_at: AwareDatetime


class GoalDetailOut(GoalOut):
    """A goal and how far it is."""

    period_from: date = Field(description="Of the present period.")
    period_to: date
    value: str | None
    share: str | None = Field(description="value / target, four places.")
    reached: list[Reached] = Field(description="The latest first.")


@routes.post("", permission="analytics:write", status_code=201, audited="values")
async def set_goal(body: GoalIn, tx: Tx, who: Who, response: Response) -> GoalOut:
    """Set a goal; `goal.reached.v1` tells of each period in which the number comes to the target."""
    if await store.count_goals(tx, who.org) >= MOST_GOALS:
        raise ConflictError(f"There are {MOST_GOALS} already.")
    await checked(tx, who.org, body.measure, (), body.filters)
    begins = body.begins_on or begin_of(await store.today(tx), Granularity(body.granularity))
    fields = (body.name, body.measure, body.filters, body.target, body.granularity, begins, body.owner_id)
    row = await store.add_goal(tx, who.org, tx.app.new_id(), fields)
    goal_set(tx, who.org, row)
    set_etag(response, row["sequence"])
    response.headers["Location"] = f"/v1/goals/{row['id']}"
    return GoalOut.model_validate(_fields(row))


@routes.get("", permission="analytics:read")
async def list_goals(tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at") -> Page[GoalOut]:
    """The newest first, or as `sort` says."""
    order = ORDERS[sort]
    rows = await store.list_goals(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([GoalOut.model_validate(_fields(row)) for row in rows], sort, order)


@routes.get("/{goal_id}", permission="analytics:read")
async def read_goal(goal_id: UUID, tx: Tx, who: Who, response: Response) -> GoalDetailOut:
    """One, with how far it is in the present period and where it was reached."""
    row = await _there(tx, who.org, goal_id)
    granularity = Granularity(row["granularity"])
    begin = begin_of(await store.today(tx), granularity)
    end = end_of(begin, granularity)
    value = next((figure.value for figure in await figure_of(tx, row, begin, end)), None)
    reached = await store.reaches(tx, who.org, goal_id, SHOWN_PERIODS)
    set_etag(response, row["sequence"])
    return GoalDetailOut.model_validate(
        _fields(row)
        | {
            "period_from": begin,
            "period_to": end,
            "value": shown_decimal(value),
            "share": None if value is None else str((value / row["target"]).quantize(Decimal("0.0001"))),
            "reached": [{**each, "value": shown_decimal(each["value"])} for each in reached],
        }
    )


@routes.patch("/{goal_id}", permission="analytics:write")
async def change_goal(
    goal_id: UUID, body: GoalPatch, tx: Tx, who: Who, request: Request, response: Response
) -> GoalOut:
    """Rename it, or set the target elsewhere. Periods in which it was reached stay so."""
    before = await _there(tx, who.org, goal_id, lock=True)
    check_if_match(request, before["sequence"])
    wanted = {**before, **body.model_dump(include=body.model_fields_set)}
    row = await store.save_goal(tx, who.org, goal_id, wanted["name"], wanted["target"])
    goal_set(tx, who.org, row)
    set_etag(response, row["sequence"])
    changed = GoalOut.model_validate(_fields(row))
    note_change(GoalOut.model_validate(_fields(before)), changed)
    return changed


@routes.delete("/{goal_id}", permission="analytics:write", status_code=204)
async def delete_goal(goal_id: UUID, tx: Tx, who: Who, request: Request) -> None:
    """Give it up."""
    row = await _there(tx, who.org, goal_id, lock=True)
    check_if_match(request, row["sequence"])
    await store.delete_goal(tx, who.org, goal_id)
    note_change(GoalOut.model_validate(_fields(row)), None)


async def _there(tx: Transaction, org: UUID, goal_id: UUID, *, lock: bool = False) -> Row:
    row = await store.read_goal(tx, org, goal_id, lock=lock)
    if row is None:
        raise NotFoundError("There is no goal with this id.")
    return row


def _fields(row: Row) -> dict[str, object]:
    return {**row, "target": shown_decimal(row["target"])}
