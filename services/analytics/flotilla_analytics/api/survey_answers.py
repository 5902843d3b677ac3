"""/v1/surveys/answer: people answer. Nobody is signed in; the link proves itself, to whoever holds it."""

from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import Path, Request
from fastapi.responses import HTMLResponse, Response
from flotilla.cause import Cause
from flotilla.http import ConflictError, CurrentApp, NotFoundError, Routes, UnprocessableError
from flotilla.http.bodies import Shown, Written, raw_body
from flotilla.problems import GoneError, Problem, TooLargeError
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime, Field, ValidationError

from flotilla_analytics import surveying
from flotilla_analytics.api.survey_pages import HEADERS, asked, over
from flotilla_analytics.api.values import Words
from flotilla_analytics.domain.scores import SCALES
from flotilla_analytics.domain.surveys import Send, UnfitAnswerError, check_answer
from flotilla_analytics.links import Kind, Token
from flotilla_analytics.resources import Resources
from flotilla_analytics.store import surveys as store

routes = Routes(surveying.ANSWERS, tag="surveys")

MOST_BYTES: Final = 16 * 1024
THERE: Final = ("requested", "sent", "answered")
Bearer = Annotated[str, Path(max_length=200, description="As it stands in the link.")]


class AnswerIn(Written):
    """What they say."""

    score: int | None = Field(default=None, ge=0, le=10)
    comment: Words | None = None


class QuestionOut(Shown):
    """What is asked, and what was answered before."""

    kind: str
    question: str
    lowest: int | None
    highest: int | None
    score: int | None
    comment: str | None
    answered_at: AwareDatetime | None
    editable_until: AwareDatetime | None


@routes.get("/{token}", permission="public", limit="open")
async def read_question(token: Bearer, app: CurrentApp) -> QuestionOut:
    """What the link asks."""
    found = _token(app, token)
    async with app.db.transaction(found.org) as tx:
        send = await _there(tx, found)
        await _check_open(tx, send)
    return _shown(send)


@routes.post("/{token}", permission="public", limit="open")
async def answer_survey(token: Bearer, body: AnswerIn, app: CurrentApp) -> QuestionOut:
    """Answer, or change the answer within a day. A link has one answer."""
    return _shown(await _answer(app, _token(app, token), body))


@routes.get("/{token}/form", permission="public", limit="open", response_class=HTMLResponse)
async def show_survey(token: Bearer, request: Request, app: CurrentApp) -> Response:
    """The page that the message leads to. Looking at it answers nothing: programs follow links too."""
    language = request.headers.get("accept-language", "")
    found = _token(app, token)
    try:
        async with app.db.transaction(found.org) as tx:
            send = await _there(tx, found)
            await _check_open(tx, send)
    except (GoneError, ConflictError) as problem:
        return HTMLResponse(over(language), problem.status, HEADERS)
    return HTMLResponse(asked(send, language), headers=HEADERS)


@routes.post(
    "/{token}/form",
    permission="public",
    limit="open",
    response_class=HTMLResponse,
    sent=raw_body("application/x-www-form-urlencoded", AnswerIn.model_json_schema()),
)
async def submit_survey(token: Bearer, request: Request, app: CurrentApp) -> Response:
    """The page's button."""
    language = request.headers.get("accept-language", "")
    found = _token(app, token)
    body = await request.body()
    if len(body) > MOST_BYTES:
        raise TooLargeError(f"An answer has at most {MOST_BYTES} bytes.")
    try:
        send = await _answer(app, found, _form(body))
    except (GoneError, ConflictError) as problem:
        return HTMLResponse(over(language), problem.status, HEADERS)
    except UnprocessableError as problem:
        return await _again(app, found, language, problem)
    return HTMLResponse(asked(send, language, answered=True), headers=HEADERS)


async def _again(app: CurrentApp, found: Token, language: str, problem: Problem) -> Response:
    async with app.db.transaction(found.org) as tx:
        send = await _there(tx, found)
    return HTMLResponse(asked(send, language, problem=problem.detail), problem.status, HEADERS)


def _form(body: bytes) -> AnswerIn:
    """`application/x-www-form-urlencoded`, as the page sends it."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
        return AnswerIn.model_validate({name: values[0] for name, values in fields.items()})
    except (ValueError, ValidationError):
        raise UnprocessableError("The answer cannot be read.") from None


async def _answer(app: CurrentApp, found: Token, body: AnswerIn) -> Send:
    comment = body.comment or None
    async with app.db.transaction(found.org, cause=Cause.fresh()) as tx:
        send = await _there(tx, found, lock=True)
        await _check_open(tx, send)
        try:
            check_answer(send.kind, body.score, comment)
        except UnfitAnswerError as error:
            errors = [{"pointer": "/score", "detail": str(error)}]
            raise UnprocessableError(str(error), errors=errors) from None
        return await surveying.answer(tx, send, body.score, comment)


async def _check_open(tx: Transaction, send: Send) -> None:
    now = await store.now(tx)
    if send.expires_at is not None and send.expires_at <= now and send.answered_at is None:
        raise GoneError("This survey is over.")
    if send.editable_until is not None and send.editable_until <= now:
        raise ConflictError("It is answered, and the time to change the answer is over.")


async def _there(tx: Transaction, found: Token, *, lock: bool = False) -> Send:
    row = await store.read_send(tx, found.org, found.id, lock=lock)
    if row is None or row["state"] not in THERE:
        raise NotFoundError("There is no such survey.")
    return store.send_of(row)


def _token(app: CurrentApp, written: str) -> Token:
    own: Resources = app.own
    token = own.links.read(written, Kind.SURVEY)
    if token is None:
        raise NotFoundError("There is no such link.")
    return token


def _shown(send: Send) -> QuestionOut:
    lowest, highest = SCALES[send.kind] or (None, None)
    return QuestionOut(
        kind=send.kind,
        question=send.question,
        lowest=lowest,
        highest=highest,
        score=send.score,
        comment=send.comment,
        answered_at=send.answered_at,
        editable_until=send.editable_until,
    )
