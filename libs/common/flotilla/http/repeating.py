"""A request whose transaction Postgres ended because another's stood in its way is done again, instead of a 503.

Only where everything of it was rolled back: the error came while its own transaction (`flotilla.http.work`) was open.
What a route does outside before that is safe to repeat, as everywhere; and its body must still be there.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

import structlog
from fastapi import Request, Response

from flotilla.http.work import RequestWork, route_of
from flotilla.store.collisions import COLLISIONS

log = structlog.get_logger()

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
TRIES: Final = 3


class AgainError(Exception):
    """Nothing of the request stands: do it once more."""


def check(request: Request, work: RequestWork, error: BaseException) -> None:
    """AgainError where the request was rolled back because of this error, and can be done again."""
    if (
        isinstance(error, COLLISIONS)
        and request.state.tries_left
        and work.transaction is not None
        and work.who.via is None  # what a guest asks for is noted before it is done, once
        and _body_is_there(request)
    ):
        raise AgainError from error


def repeated(handle: Handler) -> Handler:
    """Around a route: a few times, as long as it says so."""

    async def again(request: Request) -> Response:
        for tries_left in reversed(range(TRIES)):
            request.state.tries_left = tries_left
            try:
                return await handle(request)
            except AgainError as error:
                log.info("request.repeated", route=route_of(request), error=type(error.__cause__).__name__)
        raise AssertionError("the last try is not repeated")

    return again


def _body_is_there(request: Request) -> bool:
    """It was kept as it was read, or not read at all. What was read piece by piece is gone; forms are closed."""
    unread = not getattr(request, "_stream_consumed", True)
    return (unread or hasattr(request, "_body")) and getattr(request, "_form", None) is None
