"""Every error that leaves a FastAPI application is a problem."""

from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.problems import BadRequestError, Problem, UnavailableError, UnprocessableError, render

log = structlog.get_logger()


def install(app: FastAPI) -> None:
    """Make every error of this application a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _respond(request: Request, problem: Problem) -> Response:
    status, headers, body = render(problem, request.headers.get("x-request-id", ""))
    return Response(body, status, headers)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _respond(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    """Which value does not fit and why; the value itself is not repeated, it may be personal."""
    assert isinstance(error, RequestValidationError)
    errors = []
    for found in error.errors():
        where, *path = found["loc"]
        if found["type"] == "json_invalid":
            return _respond(request, BadRequestError("The body is not valid JSON."))
        pointer = "".join(f"/{part}" for part in path)
        errors.append({"pointer" if where == "body" else "parameter": pointer, "detail": found["msg"]})
    return _respond(request, UnprocessableError("Correct the values named in `errors`.", errors=errors))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {cls.status: cls for cls in Problem.__subclasses__()}
    cls = known.get(error.status_code)
    if cls is None:
        phrase = HTTPStatus(error.status_code).phrase
        slug = phrase.lower().replace(" ", "-")
        cls = type("HttpProblem", (Problem,), {"status": error.status_code, "slug": slug, "title": phrase})
    return _respond(request, cls(str(error.detail), headers=error.headers))


def unexpected(request: Request, error: Exception) -> Response:
    """The answer to an error of ours; what it was stands in the log under the request id."""
    route = getattr(request.scope.get("route"), "path", "")
    log.error("request.failed", method=request.method, route=route, exc_info=error)
    if isinstance(error, INFRASTRUCTURE_ERRORS):
        return _respond(
            request, UnavailableError("A store is away; repeat the request.", headers={"Retry-After": "2"})
        )
    return _respond(request, Problem("Try again; if it persists, tell the operator the request id."))
