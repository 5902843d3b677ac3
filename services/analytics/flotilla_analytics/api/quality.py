"""/v1/quality: criteria, reviews of conversations, and how far reviewers agree."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.events.analytics import CriterionScore, QualityReviewed
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
from flotilla.http.sorting import ByTimeOrName, Sort
from flotilla.store.order import BY_NAME, BY_TIME, Order, both
from flotilla.store.postgres import Row, Transaction

from flotilla_analytics.api.periods import check_days
from flotilla_analytics.api.quality_schemas import (
    MOST_CRITERIA,
    AgentOut,
    AgreementOut,
    CalibrationOut,
    CriterionIn,
    CriterionOut,
    QualityOut,
    ReviewerOut,
    ReviewIn,
    ReviewOut,
    ScoreIn,
)
from flotilla_analytics.api.values import shown_decimal
from flotilla_analytics.domain.periods import Granularity
from flotilla_analytics.domain.quality import Agreement, Given, agreement, by_criterion, given_of, total
from flotilla_analytics.store import quality as store
from flotilla_analytics.store import surveys

routes = Routes("/v1/quality", tag="quality")
ORDERS = {**BY_TIME, **BY_NAME}
REVIEWS = both("reviewed_at", Order(("reviewed_at", "id"), (datetime, UUID)))


@routes.post("/criteria", permission="quality:write", status_code=201, audited="values")
async def create_criterion(body: CriterionIn, tx: Tx, who: Who, response: Response) -> CriterionOut:
    """Judge by something more."""
    if await store.count(tx, who.org) >= MOST_CRITERIA:
        raise ConflictError(f"There are {MOST_CRITERIA} already.")
    row = await store.add(tx, who.org, tx.app.new_id(), tuple(body.model_dump().values()))
    set_etag(response, row["sequence"])
    response.headers["Location"] = f"/v1/quality/criteria/{row['id']}"
    return CriterionOut.model_validate(dict(row))


@routes.get("/criteria", permission="quality:read")
async def list_criteria(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[CriterionOut]:
    """The newest first, or as `sort` says."""
    order = ORDERS[sort]
    rows = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([CriterionOut.model_validate(dict(row)) for row in rows], sort, order)


@routes.get("/criteria/{criterion_id}", permission="quality:read")
async def read_criterion(criterion_id: UUID, tx: Tx, who: Who, response: Response) -> CriterionOut:
    """One."""
    row = await _criterion(tx, who.org, criterion_id)
    set_etag(response, row["sequence"])
    return CriterionOut.model_validate(dict(row))


@routes.put("/criteria/{criterion_id}", permission="quality:write")
async def change_criterion(
    criterion_id: UUID, body: CriterionIn, tx: Tx, who: Who, request: Request, response: Response
) -> CriterionOut:
    """Word or weigh it otherwise, or (`active`) judge by it no more. Reviews keep it as it stood."""
    before = await _criterion(tx, who.org, criterion_id, lock=True)
    check_if_match(request, before["sequence"])
    row = await store.save(tx, who.org, criterion_id, tuple(body.model_dump().values()))
    set_etag(response, row["sequence"])
    shown = CriterionOut.model_validate(dict(row))
    note_change(CriterionOut.model_validate(dict(before)), shown)
    return shown


@routes.post("/reviews", permission="quality:write", status_code=201)
async def review_conversation(body: ReviewIn, tx: Tx, who: Who, response: Response) -> ReviewOut:
    """Judge how a conversation was led; a second judgement by the same person takes the place of the first."""
    conversation = await surveys.conversation(tx, who.org, body.conversation_id)
    if conversation is None:
        raise _wrong("/conversation_id", "There is no conversation with this id.")
    agent_id = body.agent_id or conversation["agent_id"]
    if agent_id is None:
        raise _wrong("/agent_id", "Nobody led the conversation: say who is judged.")
    if who.user_id == agent_id:
        raise _wrong("/agent_id", "Nobody judges themselves.")
    given = await _given(tx, who.org, body.scores)
    score = total(given)
    earlier = await store.before(tx, who.org, body.conversation_id, who.user_id)
    scores = [{**_fields(each), "criterion_id": str(each.criterion_id)} for each in given]
    fields = (body.conversation_id, agent_id, who.user_id, score, scores, body.comment or None)
    row = await store.review(tx, who.org, tx.app.new_id(), fields)
    _tell(tx, row, given, earlier)
    set_etag(response, row["sequence"])
    response.headers["Location"] = f"/v1/quality/reviews/{row['id']}"
    return _review(row)


@routes.get("/reviews", permission="quality:read")
async def list_reviews(
    tx: Tx,
    who: Who,
    query: PageQuery,
    agent_id: UUID | None = None,
    sort: Sort[Literal["-reviewed_at", "reviewed_at"]] = "-reviewed_at",
) -> Page[ReviewOut]:
    """The latest first, or as `sort` says."""
    order = REVIEWS[sort]
    rows = await store.list_reviews(tx, who.org, agent_id, order, query.place(sort, order), query.limit + 1)
    return query.page([_review(row) for row in rows], sort, order)


@routes.get("/reviews/{review_id}", permission="quality:read")
async def read_review(review_id: UUID, tx: Tx, who: Who, response: Response) -> ReviewOut:
    """One."""
    row = await store.read_review(tx, who.org, review_id)
    if row is None:
        raise NotFoundError("There is no review with this id.")
    set_etag(response, row["sequence"])
    return _review(row)


@routes.get("/conversations/{conversation_id}", permission="quality:read")
async def read_calibration(conversation_id: UUID, tx: Tx, who: Who) -> CalibrationOut:
    """What a conversation's reviewers gave it, the average, and how far apart they are."""
    rows = await store.of_conversation(tx, who.org, conversation_id)
    if not rows:
        raise NotFoundError("Nobody has judged a conversation with this id.")
    criteria = by_criterion(given_of(row["scores"]) for row in rows)
    return CalibrationOut(
        conversation_id=conversation_id,
        overall=_agreement(agreement([row["score"] for row in rows])),
        criteria={key: _agreement(found, name) for key, (name, found) in criteria.items()},
        reviews=[_review(row) for row in rows],
    )


@routes.get("", permission="quality:read")
async def read_quality(
    tx: Tx,
    who: Who,
    from_: Annotated[date, Query(alias="from", description="The first day (UTC).")],
    to: Annotated[date, Query(description="The day after the last (UTC).")],
) -> QualityOut:
    """Agents by what they were given, and reviewers by how far they are from the others."""
    check_days(from_, to, Granularity.ALL)
    begin, end = (datetime.combine(day, time(), UTC) for day in (from_, to))
    agents = await store.agents(tx, who.org, begin, end)
    reviewers = await store.reviewers(tx, who.org, begin, end)
    return QualityOut(
        agents=[AgentOut(**_plain(row)) for row in agents],
        reviewers=[ReviewerOut(**_plain(row)) for row in reviewers],
    )


async def _given(tx: Transaction, org: UUID, scores: list[ScoreIn]) -> list[Given]:
    criteria = await store.named(tx, org, {each.criterion_id for each in scores})
    found: dict[UUID, Given] = {}
    for place, each in enumerate(scores):
        criterion = criteria.get(each.criterion_id)
        if criterion is None:
            raise _wrong(f"/scores/{place}/criterion_id", "There is no criterion with this id in use.")
        if each.criterion_id in found:
            raise _wrong(f"/scores/{place}/criterion_id", "It is given twice.")
        if each.score > criterion["most"]:
            raise _wrong(f"/scores/{place}/score", f"The best is {criterion['most']}.")
        found[each.criterion_id] = Given(
            each.criterion_id, criterion["name"], each.score, criterion["most"], criterion["weight"]
        )
    return list(found.values())


def _tell(tx: Transaction, row: Row, given: list[Given], earlier: Row | None) -> None:
    changed: dict[str, list[Any]] = {}
    if earlier is not None and earlier["score"] != row["score"]:
        changed["score"] = [shown_decimal(earlier["score"]), shown_decimal(row["score"])]
    if earlier is not None and earlier["agent_id"] != row["agent_id"]:
        changed["agent_id"] = [earlier["agent_id"], row["agent_id"]]
    fact = QualityReviewed(
        review_id=row["id"],
        conversation_id=row["conversation_id"],
        agent_id=row["agent_id"],
        reviewer_id=row["reviewer_id"],
        score=f"{row['score']:f}",
        scores=[CriterionScore(**_fields(each)) for each in given],
        comment=row["comment"],
        reviewed_at=row["reviewed_at"],
        changed=changed,
    )
    audience = f"user:{row['agent_id']} user:{row['reviewer_id']}"
    tx.emit(fact, org=row["organization_id"], sequence=row["sequence"], audience=audience)


def _fields(given: Given) -> dict[str, Any]:
    return {name: getattr(given, name) for name in ("criterion_id", "name", "score", "most", "weight")}


def _wrong(pointer: str, detail: str) -> UnprocessableError:
    return UnprocessableError("Correct the review.", errors=[{"pointer": pointer, "detail": detail}])


def _agreement(found: Agreement, name: str | None = None) -> AgreementOut:
    return AgreementOut(
        name=name, reviews=found.reviews, average=f"{found.average:f}", spread=f"{found.spread:f}"
    )


def _plain(row: Row) -> dict[str, Any]:
    return {
        name: shown_decimal(value) if isinstance(value, Decimal) else value for name, value in row.items()
    }


def _review(row: Row) -> ReviewOut:
    return ReviewOut.model_validate({**row, "score": shown_decimal(row["score"])})


async def _criterion(tx: Transaction, org: UUID, criterion_id: UUID, *, lock: bool = False) -> Row:
    row = await store.read(tx, org, criterion_id, lock=lock)
    if row is None:
        raise NotFoundError("There is no criterion with this id.")
    return row
