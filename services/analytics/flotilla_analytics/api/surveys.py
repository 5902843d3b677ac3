"""/v1/surveys: what customers are asked, when, and what they say."""

from datetime import date
from typing import Any, Final, Literal
from uuid import UUID

from fastapi import Request, Response
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
    note_change,
    set_etag,
)
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime, ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME, Order, both
from flotilla.store.postgres import Row, Transaction
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from flotilla_analytics import surveying
from flotilla_analytics.api.periods import StretchQuery
from flotilla_analytics.api.values import Line, Words, shown_decimal
from flotilla_analytics.domain.figures import rate
from flotilla_analytics.domain.scores import figure
from flotilla_analytics.domain.surveys import LINK, MESSAGE, QUESTIONS, SENT
from flotilla_analytics.store import surveys as store
from flotilla_analytics.store.readings import Question, read_groups

routes = Routes("/v1/surveys", tag="surveys")

ORDERS: Final = {**BY_TIME, **BY_NAME}
SENDS: Final = both("created_at", Order(("s.id",), (UUID,)))
MOST_SURVEYS: Final = 100
MOST_GROUPS: Final = 1_000


class SurveyIn(Written):
    """A survey."""

    name: Line
    kind: Literal["csat", "nps", "ces", "custom"] = Field(
        description="csat: 1 to 5; nps: 0 to 10; ces: 1 to 7; custom: words only."
    )
    question: Words = Field(default="", description="None: the usual one of its kind.")
    message: Words = Field(
        default=MESSAGE, description="What is written to the customer; `{link}` is the link."
    )
    trigger: Literal["conversation_resolved", "manual"] = "manual"
    delay_minutes: int = Field(default=0, ge=0, le=10_080)
    cooldown_days: int = Field(
        default=30, ge=0, le=365, description="Nobody is asked again so soon by a trigger."
    )
    expires_days: int = Field(default=14, ge=1, le=90)
    active: bool = True

    @model_validator(mode="after")
    def _has_link(self) -> "SurveyIn":
        if self.message.count(LINK) != 1:
            raise ValueError(f"the message has {LINK} in it once")
        return self


class SurveyOut(Shown):
    """A survey."""

    id: UUID
    name: str
    kind: str
    question: str
    message: str
    trigger: str
    delay_minutes: int
    cooldown_days: int
    expires_days: int
    active: bool
    created_at: AwareDatetime


class SendIn(Written):
    """Whom to ask."""

    conversation_id: UUID


class SendOut(Shown):
    """A survey that one person was asked to answer."""

    id: UUID
    survey_id: UUID
    conversation_id: UUID
    contact_id: UUID | None
    channel: str
    agent_id: UUID | None
    state: Literal["waiting", "requested", "sent", "failed", "cancelled", "answered"]
    reason: str | None
    created_at: AwareDatetime
    sent_at: AwareDatetime | None
    score: int | None
    comment: str | None
    answered_at: AwareDatetime | None


class SendBegunOut(BaseModel):
    """It is on its way."""

    id: UUID


class ResultOut(BaseModel):
    """What those said that were asked in one period."""

    period: date | None
    sent: int
    answered: int
    response_rate: str | None
    value: str | None = Field(
        description="csat: percent of 4 and 5; nps: -100 to 100; ces: mean; custom: null."
    )
    scores: dict[int, int] = Field(description="Score → how many.")


@routes.post("", permission="surveys:write", status_code=201, audited="values")
async def create_survey(body: SurveyIn, tx: Tx, who: Who, response: Response) -> SurveyOut:
    """Make a survey. With the trigger, conversations resolved from now on ask their customers."""
    if await store.count(tx, who.org) >= MOST_SURVEYS:
        raise ConflictError(f"There are {MOST_SURVEYS} already.")
    row = await store.add(tx, who.org, tx.app.new_id(), _fields(body))
    set_etag(response, row["sequence"])
    response.headers["Location"] = f"/v1/surveys/{row['id']}"
    return SurveyOut.model_validate(dict(row))


@routes.get("", permission="surveys:read")
async def list_surveys(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[SurveyOut]:
    """The newest first, or as `sort` says."""
    order = ORDERS[sort]
    rows = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([SurveyOut.model_validate(dict(row)) for row in rows], sort, order)


@routes.get("/{survey_id}", permission="surveys:read")
async def read_survey(survey_id: UUID, tx: Tx, who: Who, response: Response) -> SurveyOut:
    """One."""
    row = await _there(tx, who.org, survey_id)
    set_etag(response, row["sequence"])
    return SurveyOut.model_validate(dict(row))


@routes.put("/{survey_id}", permission="surveys:write")
async def change_survey(
    survey_id: UUID, body: SurveyIn, tx: Tx, who: Who, request: Request, response: Response
) -> SurveyOut:
    """Ask otherwise, or (`active`) no more. Its kind stays: answers of two scales make no sum."""
    before = await _there(tx, who.org, survey_id, lock=True)
    check_if_match(request, before["sequence"])
    if body.kind != before["kind"]:
        errors = [{"pointer": "/kind", "detail": f"It is a {before['kind']} survey: make another."}]
        raise UnprocessableError("Its kind stays.", errors=errors)
    row = await store.save(tx, who.org, survey_id, _fields(body))
    set_etag(response, row["sequence"])
    shown = SurveyOut.model_validate(dict(row))
    note_change(SurveyOut.model_validate(dict(before)), shown)
    return shown


@routes.post("/{survey_id}/sends", permission="surveys:send", status_code=202)
async def send_survey(survey_id: UUID, body: SendIn, work: Work) -> SendBegunOut:
    """Ask the customer of a conversation, now."""
    tx, org = await work.begin(), work.who.org
    survey = await _there(tx, org, survey_id)
    if not survey["active"]:
        raise ConflictError("The survey is not active.")
    if await store.conversation(tx, org, body.conversation_id) is None:
        errors = [{"pointer": "/conversation_id", "detail": "There is no conversation with this id."}]
        raise UnprocessableError("Name a conversation.", errors=errors)
    send_id = await surveying.send_now(tx, org, survey_id, body.conversation_id, work.cause)
    if send_id is None:
        raise ConflictError("They are being asked already.")
    return SendBegunOut(id=send_id)


@routes.get("/{survey_id}/sends", permission="surveys:read")
async def list_survey_sends(
    survey_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[SendOut]:
    """Who was asked, and what they said; the newest first."""
    await _there(tx, who.org, survey_id)
    order = SENDS[sort]
    after = query.place(sort, order)
    rows = await store.list_sends(tx, who.org, survey_id, order, after, query.limit + 1)
    return query.page([SendOut.model_validate(dict(row)) for row in rows], sort, order)


@routes.get("/{survey_id}/results", permission="surveys:read")
async def read_survey_results(survey_id: UUID, tx: Tx, who: Who, stretch: StretchQuery) -> list[ResultOut]:
    """What those said that were asked in each period, by the day of asking."""
    survey = await _there(tx, who.org, survey_id)
    question = Question(
        survey["kind"],
        stretch.day_from,
        stretch.day_to,
        stretch.granularity,
        filters={"survey_id": survey_id},
        table="asked",
    )
    return [_result(survey["kind"], row) for row in await read_groups(tx, who.org, question, MOST_GROUPS)]


def _result(kind: str, row: Row) -> ResultOut:
    counts = dict(zip(row["buckets"], row["counts"], strict=True))
    sent = counts.pop(SENT, 0)
    scores = {score: count for score, count in counts.items() if score >= 0}
    answered = sum(counts.values())
    return ResultOut(
        period=row["period"],
        sent=sent,
        answered=answered,
        response_rate=rate(answered, sent),
        value=shown_decimal(figure(kind, scores)),
        scores=scores,
    )


def _fields(body: SurveyIn) -> tuple[Any, ...]:
    return (
        body.name,
        body.kind,
        body.question or QUESTIONS[body.kind],
        body.message,
        body.trigger,
        body.delay_minutes,
        body.cooldown_days,
        body.expires_days,
        body.active,
    )


async def _there(tx: Transaction, org: UUID, survey_id: UUID, *, lock: bool = False) -> Row:
    row = await store.read(tx, org, survey_id, lock=lock)
    if row is None:
        raise NotFoundError("There is no survey with this id.")
    return row
