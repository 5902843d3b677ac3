"""Requests that this process answers itself: its pages, and its own part of the API."""

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from flotilla.problems import NotFoundError
from flotilla.security.principal import HEADER

from flotilla_gateway.edge import security
from flotilla_gateway.forward.headers import OURS, RESERVED_PREFIX, Header
from flotilla_gateway.forward.passage import Asgi, Outcome, Receive, Send

if TYPE_CHECKING:
    from flotilla_gateway.visit import Visit

OWN_SERVICE: Final = "gateway"
FOR_OPERATORS: Final = frozenset({b"/metrics", b"/readyz"})
"""They say how this place is built: for callers of `FLOTILLA_OPERATOR_NETWORKS` only."""
_KEPT: Final = (OURS - {b"host", b"content-length"}) | {b"authorization", b"cookie"}


class Local:
    """The FastAPI application of this process, behind the door."""

    def __init__(self, pages: Asgi) -> None:
        self._pages = pages

    async def page(self, visit: "Visit", receive: Receive, send: Send) -> Outcome:
        """A page of our own, open to everybody but those for operators."""
        # The application reads paths decoded: by another spelling a page for operators, or an operation of the API that
        # was never asked about, would be had by anybody. None of ours has a sign that needs one.
        if b"%" in visit.path or (visit.path in FOR_OPERATORS and not visit.caller.operator):
            raise NotFoundError("There is no such page.")
        https = visit.caller.scheme == "https"
        return await self._answer(visit, security.PAGE_HTTPS if https else security.PAGE, receive, send)

    async def operation(self, visit: "Visit", receive: Receive, send: Send) -> Outcome:
        """An operation of the gateway itself, with a principal as any service gets it."""
        https = visit.caller.scheme == "https"
        guards = (security.API_HTTPS if https else security.API) + (security.NO_STORE,)
        return await self._answer(visit, guards, receive, send)

    async def _answer(
        self, visit: "Visit", guards: tuple[Header, ...], receive: Receive, send: Send
    ) -> Outcome:
        outcome = Outcome(500, 0)

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                outcome.status = message["status"]
                own = [*visit.limit_headers, (b"x-request-id", visit.request_id), *guards]
                message = {**message, "headers": [*message.get("headers", ()), *own]}
            else:
                outcome.sent += len(message.get("body", b""))
            await send(message)

        scope = {**visit.turn.scope, "path": unquote(visit.path.decode("ascii")), "headers": _received(visit)}
        await self._pages(scope, receive, guarded)
        visit.route = getattr(scope.get("route"), "path", visit.route)
        return outcome


def _received(visit: "Visit") -> list[Header]:
    headers = [field for field in visit.headers if field[0] not in _KEPT and field[0][:8] != RESERVED_PREFIX]
    headers.append((b"x-request-id", visit.request_id))
    if visit.session is not None:
        headers.append((HEADER.encode(), visit.session.principal(OWN_SERVICE)))
    return headers
