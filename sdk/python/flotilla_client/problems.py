"""Problems (RFC 9457) as exceptions: a class for each kind that a program may want to tell apart."""

from typing import Any, ClassVar

import httpx

_KNOWN = ("type", "title", "status", "detail", "request_id", "errors")


class ProblemError(Exception):
    """What Flotilla answered instead of what was asked: `detail` says what to do about it."""

    status: ClassVar[int] = 0
    slug: ClassVar[str] = ""

    def __init__(self, response: httpx.Response, body: dict[str, Any]) -> None:
        self.response = response
        self.code: int = response.status_code
        self.type: str = body.get("type", "about:blank")
        self.title: str = body.get("title", response.reason_phrase)
        self.detail: str = body.get("detail", "")
        self.request_id: str = body.get("request_id", response.headers.get("x-request-id", ""))
        self.errors: list[dict[str, str]] = body.get("errors", [])
        """Each value that does not fit: `pointer` into the body or `parameter`, and `detail`."""
        self.extensions = {name: value for name, value in body.items() if name not in _KNOWN}
        super().__init__(f"{self.code} {self.title}: {self.detail} (request {self.request_id})")

    @property
    def retry_after(self) -> float | None:
        """Seconds after which it may succeed, where the server said so."""
        return retry_after(self.response)


class UnauthorizedError(ProblemError):
    """Nobody is signed in, or the key or token is no longer good."""

    status = 401


class StepUpRequiredError(ProblemError):
    """Signed in too long ago for this: prove anew who you are."""

    status, slug = 401, "step-up-required"


class LimitReachedError(ProblemError):
    """The organization has used up what its plan allows."""

    status = 402


class ForbiddenError(ProblemError):
    """The permission is lacking."""

    status = 403


class NotFoundError(ProblemError):
    """There is no such thing, or not for this organization."""

    status = 404


class ConflictError(ProblemError):
    """It is not in a state in which that can be done."""

    status = 409


class PreconditionFailedError(ProblemError):
    """It has changed since it was read: read it again."""

    status = 412


class InvalidError(ProblemError):
    """Values do not fit: see `errors`."""

    status = 422


class TooManyRequestsError(ProblemError):
    """The rate limit is used up, and stayed so as long as the client was willing to wait."""

    status = 429


class UnavailableError(ProblemError):
    """Something is down, and stayed so as long as the client was willing to wait."""

    status = 503


def problem_of(response: httpx.Response) -> ProblemError:
    """The exception for an answer of 400 or above whose body was read."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    slug = str(body.get("type", "")).rpartition("/")[2]
    kinds = ProblemError.__subclasses__()
    found = [kind for kind in kinds if kind.slug == slug and slug]
    found += [kind for kind in kinds if kind.status == response.status_code and not kind.slug]
    return (found[0] if found else ProblemError)(response, body)


def retry_after(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds; None where there is none that can be read."""
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None
