"""Every error that leaves a FastAPI application is a problem."""

import functools
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.http.work import route_of
from flotilla.problems import BadRequestError, Problem, UnavailableError, UnprocessableError, render

log = structlog.get_logger()

UNSTORABLE: Final = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""JSON may hold a null character, a text of Postgres may not."""


def install(app: FastAPI) -> None:
    """Make every error of this application a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def respond(request: Request, problem: Problem) -> Response:
    """A problem as the answer."""
    status, headers, body = render(problem, request.headers.get("x-request-id", ""))
    return Response(body, status, headers)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return respond(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    """Which value does not fit and why; the value itself is not repeated, it may be personal."""
    assert isinstance(error, RequestValidationError)
    errors = []
    for found in error.errors():
        where, *path = found["loc"]
        if found["type"] == "json_invalid":
            return respond(request, BadRequestError("The body is not valid JSON."))
        if where == "body":
            errors.append({"pointer": _pointer(path), "detail": found["msg"]})
        else:
            errors.append({"parameter": ".".join(map(str, path)), "detail": found["msg"]})
    return respond(request, UnprocessableError("Correct the values named in `errors`.", errors=errors))


def _pointer(path: Iterable[object]) -> str:
    """RFC 6901, section 3."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return respond(request, _problem_of(error.status_code)(str(error.detail), headers=error.headers))


@functools.cache
def _problem_of(status: int) -> type[Problem]:
    """The problem every service has for a status; one named after the status where there is none."""
    for cls in Problem.__subclasses__():
        if cls.status == status and cls.__module__ == Problem.__module__:
            return cls
    phrase = HTTPStatus(status).phrase
    slug = phrase.lower().replace(" ", "-")
    return type("HttpProblem", (Problem,), {"status": status, "slug": slug, "title": phrase})


def unexpected(request: Request, error: BaseException) -> Response:
    """The answer to an error of ours; what it was stands in the log under the request id."""
    if isinstance(error, UNSTORABLE):
        return respond(request, UnprocessableError("Texts cannot hold the character U+0000: remove it."))
    route = route_of(request)
    if isinstance(error, INFRASTRUCTURE_ERRORS):
        log.warning("request.store_away", method=request.method, route=route, error=type(error).__name__)
        return respond(
            request, UnavailableError("A store is away; repeat the request.", headers={"Retry-After": "2"})
        )
    log.error("request.failed", method=request.method, route=route, exc_info=error)
    return respond(request, Problem("Try again; if it persists, tell the operator the request id."))
