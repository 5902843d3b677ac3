"""One request on its way through the door: what is known of it so far, and its line in the log."""

import time
from typing import Final

from flotilla_gateway import metrics
from flotilla_gateway.access_log import AccessLine, AccessLog, timestamp
from flotilla_gateway.edge.clients import Caller
from flotilla_gateway.edge.turn import Turn
from flotilla_gateway.forward.headers import Header
from flotilla_gateway.routing import Operation
from flotilla_gateway.trust.session import Session

UNKNOWN_ROUTE: Final = "-"
OWN: Final = "gateway"
"""Who answers where no service does."""
NO_CLASS: Final = "none"


class Visit:
    """Filled in step by step."""

    __slots__ = (
        "blocked",
        "by_cookie",
        "caller",
        "fields",
        "headers",
        "hook",
        "limit_headers",
        "method",
        "operation",
        "path",
        "query",
        "request_id",
        "route",
        "session",
        "started",
        "traceparent",
        "turn",
    )

    def __init__(self, turn: Turn, caller: Caller, request_id: bytes) -> None:
        self.turn = turn
        self.method = turn.method
        self.path = turn.path
        self.query = turn.query
        """Without a token in it, once that is taken out."""
        self.headers = turn.headers
        self.fields = turn.fields
        """The same by name, the last of each."""
        self.caller = caller
        self.request_id = request_id
        self.started = time.perf_counter()
        self.operation: Operation | None = None
        self.route = UNKNOWN_ROUTE
        self.session: Session | None = None
        self.by_cookie = False
        """Whether a browser's cookie shows who asks."""
        self.hook: str | None = None
        """Of a channel's webhook or a message's link: whose budget it uses."""
        self.limit_headers: tuple[Header, ...] = ()
        self.blocked = False
        """Whether its address is blocked: what it is refused then is not held against it again."""
        self.traceparent: str | None = None

    def note(self, log: AccessLog, status: int, sent: int) -> None:
        """Log it and count it."""
        took = time.perf_counter() - self.started
        operation, session, caller = self.operation, self.session, self.caller
        if operation is None:
            route, upstream, limit = self.route, OWN, NO_CLASS
        else:
            route, upstream, limit = operation.template, operation.service, operation.limit
        metrics.REQUESTS.add(upstream, limit, status, took)
        line = AccessLine(
            timestamp(),
            self.request_id.decode(),
            self.method,
            route,
            status,
            int(took * 1_000_000) / 1000,  # round() costs three times that
            sent,
            caller.network,
            caller.pseudonym,
            upstream,
        )
        if session is not None:
            line.actor, line.org = session.actor, session.org
        if self.traceparent is not None:
            line.trace_id = self.traceparent.split("-")[1]
        log.add(line)
