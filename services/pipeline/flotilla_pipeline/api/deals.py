"""/v1/deals."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from fastapi import Query, Request, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import SORT, ByTime, Several
from flotilla.security.reach import check_mine, owner_of_new
from flotilla.store.order import BY_TIME, Order, both
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime

from flotilla_pipeline import commands
from flotilla_pipeline.api.values import (
    Line,
    LossReason,
    MoneyValue,
    Probability,
    Reason,
    State,
    check_known,
    refused,
)
from flotilla_pipeline.domain.deals import Deal, MoveRefusedError, check_required
from flotilla_pipeline.domain.ranks import between
from flotilla_pipeline.domain.stages import Stage
from flotilla_pipeline.store import deals as store
from flotilla_pipeline.store import holds, pipelines

deals = Routes("/v1/deals", tag="deals")

NO_VALUE = -1
NO_CLOSE = "coalesce(expected_close_on, 'infinity'::date)"
"""The driver writes and reads `infinity` as the last day there is."""


def _by_value(deal: "DealOut") -> tuple[int, UUID]:
    return (NO_VALUE if deal.value is None else deal.value.amount_minor, deal.id)


def _by_close(deal: "DealOut") -> tuple[date, UUID]:
    return (deal.expected_close_on or date.max, deal.id)


Sorts = Annotated[
    Literal["-created_at", "created_at", "value", "-value", "expected_close_on", "-expected_close_on"],
    Query(description=SORT),
]
ORDERS = {
    **BY_TIME,
    **both("value", Order((f"coalesce(value_minor, {NO_VALUE})", "id"), (int, UUID), key=_by_value)),
    **both("expected_close_on", Order((NO_CLOSE, "id"), (date, UUID), key=_by_close)),
}
TAKEN = "Another deal with this contact is open in the pipeline."


class DealIn(Written):
    """A new deal; without a stage it begins in the first open one of the default pipeline."""

    title: Line
    stage_id: UUID | None = None
    value: MoneyValue | None = None
    own_probability: Probability | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    conversation_id: UUID | None = None
    owner_id: UUID | None = None
    expected_close_on: date | None = None


class DealPatch(Patch):
    """What shall be different; a field that is left out stays."""

    title: Line = ""
    value: MoneyValue | None = None
    own_probability: Probability | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    conversation_id: UUID | None = None
    owner_id: UUID | None = None
    expected_close_on: date | None = None


class MoveIn(Written):
    """Where it shall stand: in which stage, and after which deal there; topmost without one."""

    stage_id: UUID
    after_deal_id: UUID | None = None
    reason: Reason | None = None
    loss_reason: LossReason | None = None


class DealOut(Shown):
    """A deal."""

    id: UUID
    pipeline_id: UUID
    stage_id: UUID
    rank: str
    title: str
    state: State
    value: MoneyValue | None
    probability: int
    own_probability: int | None
    contact_id: UUID | None
    company_id: UUID | None
    conversation_id: UUID | None
    owner_id: UUID | None
    expected_close_on: date | None
    source: Literal["lead", "manual", "api"]
    loss_reason: str | None
    qualification_id: UUID | None
    entered_stage_at: AwareDatetime
    created_at: AwareDatetime
    ended_at: AwareDatetime | None
    rotted_at: AwareDatetime | None


class MoveOut(Shown):
    """One move: who, when, why, and how long it had stood where it was."""

    id: UUID
    from_stage_id: UUID
    to_stage_id: UUID
    actor: str | None
    reason: str | None
    seconds_in_stage: int
    moved_at: AwareDatetime


@deals.get("", permission="deals:read", reach="rows")
async def list_deals(
    tx: Tx,
    who: Who,
    query: PageQuery,
    pipeline_id: UUID | None = None,
    stage_id: Several[UUID] = None,
    state: Several[State] = None,
    owner_id: UUID | None = None,
    contact_id: UUID | None = None,
    company_id: UUID | None = None,
    sort: Sorts = "-created_at",
) -> Page[DealOut]:
    """The newest first, or in the order of `sort`: those without a value stand before all, without a day after all."""
    filters = {
        "pipeline_id": pipeline_id,
        "stage_id": stage_id,
        "state": state,
        "owner_id": owner_id,
        "contact_id": contact_id,
        "company_id": company_id,
    }
    order = ORDERS[sort]
    found = await store.list_deals(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([DealOut.model_validate(deal) for deal in found], sort, order)


@deals.post("", permission="deals:write", reach="rows", status_code=201)
async def create_deal(body: DealIn, work: Work, response: Response) -> DealOut:
    """Make a deal, topmost in its stage."""
    tx, who = await work.begin(), work.who
    given = body.model_dump(exclude={"stage_id", "value"})
    given["owner_id"] = owner_of_new(who, "deals:write", body.owner_id)
    await check_known(tx, who.org, given)
    stage = await _first_stage(tx, who.org, body.stage_id)
    now = datetime.now(UTC)
    _, top = await store.room(tx, who.org, stage.id, None) or (None, None)
    draft = Deal(
        id=tx.app.new_id(),
        pipeline_id=stage.pipeline_id,
        stage_id=stage.id,
        stage_probability=stage.probability,
        rank=between(None, top),
        value=body.value.money() if body.value else None,
        entered_stage_at=now,
        created_at=now,
        **given,
    )
    try:
        check_required(draft, stage)
    except MoveRefusedError as error:
        raise refused(error) from None
    opened = await commands.open_deals(tx, [(who.org, draft)], {draft.id: work.cause})
    if not opened:
        raise ConflictError(TAKEN)
    set_etag(response, opened[0].sequence)
    response.headers["Location"] = f"/v1/deals/{draft.id}"
    return DealOut.model_validate(opened[0])


@deals.get("/{deal_id}", permission="deals:read", reach="rows")
async def read_deal(deal_id: UUID, tx: Tx, who: Who, response: Response) -> DealOut:
    """One deal."""
    deal = _there(await store.read_deal(tx, who.org, deal_id))
    set_etag(response, deal.sequence)
    return DealOut.model_validate(deal)


@deals.patch("/{deal_id}", permission="deals:write", reach="rows")
async def change_deal(
    deal_id: UUID, body: DealPatch, tx: Tx, who: Who, request: Request, response: Response
) -> DealOut:
    """Change some fields of an open deal; with If-Match, only the state that was read."""
    deal = _there(await store.read_deal(tx, who.org, deal_id, lock=True))
    check_mine(who, "deals:write", deal.owner_id)
    check_if_match(request, deal.sequence)
    if not deal.open:
        raise ConflictError(f"The deal is {deal.state}.")
    wanted: dict[str, Any] = body.model_dump(include=body.model_fields_set - {"value"})
    if "value" in body.model_fields_set:
        wanted["value"] = body.value.money() if body.value else None
    await check_known(
        tx, who.org, {field: value for field, value in wanted.items() if value != getattr(deal, field)}
    )
    try:
        deal = await commands.change_deal(tx, who.org, deal, wanted)
    except asyncpg.UniqueViolationError:
        raise ConflictError(TAKEN) from None
    set_etag(response, deal.sequence)
    return DealOut.model_validate(deal)


@deals.post("/{deal_id}/move", permission="deals:write", reach="rows")
async def move_deal(deal_id: UUID, body: MoveIn, work: Work, request: Request, response: Response) -> DealOut:
    """Move an open deal on the board; into a won stage, and the saga of its invoice and delivery begins."""
    tx, org = await work.begin(), work.who.org
    deal = _there(await store.read_deal(tx, org, deal_id, lock=True))
    check_mine(work.who, "deals:write", deal.owner_id)
    check_if_match(request, deal.sequence)
    try:
        if body.stage_id == deal.stage_id:
            deal = await commands.reorder_deal(tx, org, deal, body.after_deal_id)
        else:
            move = commands.Move(
                stage_id=body.stage_id,
                after=body.after_deal_id,
                reason=body.reason,
                loss_reason=body.loss_reason,
            )
            deal = await commands.move_deal(tx, org, deal, move, work.cause)
    except MoveRefusedError as error:
        raise refused(error) from None
    set_etag(response, deal.sequence)
    return DealOut.model_validate(deal)


@deals.get("/{deal_id}/moves", permission="deals:read", reach="rows")
async def list_moves(
    deal_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[MoveOut]:
    """Its way so far, the latest move first, or as `sort` says."""
    _there(await store.read_deal(tx, who.org, deal_id))
    order = BY_TIME[sort]
    rows = await store.list_moves(tx, who.org, deal_id, order, query.place(sort, order), query.limit + 1)
    return query.page([MoveOut.model_validate(dict(row)) for row in rows], sort, order)


class HoldOut(Shown):
    """Why it cannot be won for now."""

    id: UUID
    reason: str
    held_at: AwareDatetime


@deals.get("/{deal_id}/holds", permission="deals:read", reach="rows")
async def list_holds(deal_id: UUID, tx: Tx, who: Who) -> Page[HoldOut]:
    """What keeps it from being won, the oldest first; a hundred at most."""
    _there(await store.read_deal(tx, who.org, deal_id))
    rows = await holds.of_deal(tx, who.org, deal_id)
    return Page(items=[HoldOut.model_validate(dict(row)) for row in rows])


async def _first_stage(tx: Transaction, org: UUID, stage_id: UUID | None) -> Stage:
    """The stage that a new deal begins in, held against archiving."""
    if stage_id is None:
        place = (await pipelines.where_leads_go(tx, [org])).get(org)
        if place is None:
            raise ConflictError("There is no default pipeline with an open stage; name a stage.")
        stage_id = place["id"]
    stage = await pipelines.stage_for_deal(tx, org, stage_id)
    if stage is None or stage.archived or stage.kind != "open":
        errors = [{"pointer": "/stage_id", "detail": "There is no open stage with this id."}]
        raise UnprocessableError("A deal begins in an open stage.", errors=errors)
    return stage


def _there(deal: Deal | None) -> Deal:
    if deal is None:
        raise NotFoundError("There is no deal with this id.")
    return deal
