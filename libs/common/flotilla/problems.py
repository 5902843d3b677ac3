"""Problems (RFC 9457): every error says what is wrong and what the caller can do."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the RFC's own word
    """Raise it anywhere under a route; the caller gets it as `application/problem+json`."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong here"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: object,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        """`[{"pointer": "/name", "detail": "..."}]`, JSON pointers (RFC 6901) into the body."""
        self.headers = dict(headers or {})
        self.extensions = extensions


class BadRequestError(Problem):
    """The request cannot be read."""

    status, slug, title = 400, "bad-request", "The request cannot be read"


class UnauthorizedError(Problem):
    """Nobody is signed in, or the token is not valid."""

    status, slug, title = 401, "unauthorized", "Sign in first"


class LimitReachedError(Problem):
    """The organization has used up what its plan allows; `feature` names it, `detail` says what to do."""

    status, slug, title = 402, "limit-reached", "Your plan's limit is reached"


class FeatureNotIncludedError(Problem):
    """The organization's plan does not have it; `feature` names it, GET /v1/plans says which plan does."""

    status, slug, title = 403, "feature-not-included", "Your plan does not include this"


class StepUpRequiredError(Problem):
    """Signed in, but too long ago for this (RFC 9470)."""

    status, slug, title = 401, "step-up-required", "Prove anew who you are"


class ForbiddenError(Problem):
    """Signed in, but without the permission."""

    status, slug, title = 403, "forbidden", "This is not allowed for your role"


class EmailUnverifiedError(Problem):
    """Their e-mail address may be somebody else's yet; `detail` says how they show that it is theirs."""

    status, slug, title = 403, "email-unverified", "Confirm your e-mail address first"


class NotFoundError(Problem):
    """No such thing, or not one this organization may know of."""

    status, slug, title = 404, "not-found", "There is no such thing"


class ConflictError(Problem):
    """It is not in a state in which that can be done."""

    status, slug, title = 409, "conflict", "That cannot be done in its present state"


class GoneError(Problem):
    """It was there and is no more; asking again is of no use."""

    status, slug, title = 410, "gone", "It is no longer there"


class PreconditionFailedError(Problem):
    """It has changed since it was read."""

    status, slug, title = 412, "precondition-failed", "It has changed since you read it"


class TooLargeError(Problem):
    """The body is longer than this route takes."""

    status, slug, title = 413, "too-large", "The body is too large"


class UriTooLongError(Problem):
    """The address is longer than any of ours."""

    status, slug, title = 414, "uri-too-long", "The address is too long"


class MisdirectedError(Problem):
    """It is another region's: `region` and `address` say whom to ask (RFC 9110, section 15.5.20)."""

    status, slug, title = 421, "misdirected", "Another region has this"


class UnprocessableError(Problem):
    """Well-formed, but the values do not fit."""

    status, slug, title = 422, "invalid", "Some values do not fit"


class TooManyRequestsError(Problem):
    """The rate limit is used up; Retry-After says when it is not."""

    status, slug, title = 429, "too-many-requests", "Too many requests"


class UnavailableError(Problem):
    """Something this needs is down; Retry-After says when to try again."""

    status, slug, title = 503, "unavailable", "This is not available at the moment"


def render(problem: Problem, request_id: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a problem."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id,
        **problem.extensions,
    }
    if problem.errors:
        body["errors"] = problem.errors
    headers = {"content-type": CONTENT_TYPE, **problem.headers}
    if problem.status == UnauthorizedError.status:
        headers.setdefault("www-authenticate", "Bearer")  # RFC 9110, section 11.6.1
    return problem.status, headers, msgspec.json.encode(body)
