"""One request on its way through the door: what is known of it so far, and its line in the log."""

import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UNSET

from flotilla_gateway import metrics
from flotilla_gateway.access_log import AccessLine, AccessLog, timestamp
from flotilla_gateway.edge.clients import Caller
from flotilla_gateway.forward.headers import Header
from flotilla_gateway.forward.passage import Outcome
from flotilla_gateway.routing import Operation
from flotilla_gateway.trust.session import Session

UNKNOWN_ROUTE: Final = "-"


@dataclass(slots=True)
class Visit:
    """Filled in step by step."""

    scope: MutableMapping[str, Any]
    headers: list[Header]
    fields: dict[bytes, bytes]
    """The same by name, the last of each."""
    caller: Caller
    request_id: bytes
    started: float
    """By `time.perf_counter`."""
    path: bytes = field(init=False)
    query: bytes = field(init=False)
    """Without a token in it, once that is taken out."""
    operation: Operation | None = None
    route: str = UNKNOWN_ROUTE
    session: Session | None = None
    by_cookie: bool = False
    """Whether a browser's cookie shows who asks."""
    hook: str | None = None
    """Of a channel's webhook or a message's link: whose budget it uses."""
    limit_headers: tuple[Header, ...] = ()
    blocked: bool = False
    """Whether its address is blocked: what it is refused then is not held against it again."""
    traceparent: str | None = None

    def __post_init__(self) -> None:
        self.path = self.scope["raw_path"]
        self.query = self.scope["query_string"]

    def note(self, log: AccessLog, outcome: Outcome) -> None:
        """Log it and count it."""
        took = time.perf_counter() - self.started
        operation, session = self.operation, self.session
        upstream = operation.service if operation else "gateway"
        metrics.REQUESTS.add(upstream, operation.limit if operation else "none", outcome.status, took)
        line = AccessLine(
            ts=timestamp(),
            request_id=self.request_id.decode(),
            method=self.scope["method"],
            route=operation.template if operation else self.route,
            status=outcome.status,
            ms=round(took * 1000, 3),
            sent=outcome.sent,
            network=self.caller.network,
            caller=self.caller.pseudonym,
            actor=session.actor if session else UNSET,
            org=session.org if session else UNSET,
            trace_id=self.traceparent.split("-")[1] if self.traceparent else UNSET,
            upstream=upstream,
        )
        log.add(line)
