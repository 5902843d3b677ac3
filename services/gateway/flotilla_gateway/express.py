"""The short way of a plain request: called back where the long way (`door`, by ASGI) awaits, which costs more.

Plain is a request to a service whose body is here as a whole, while a connection to that service idles. The rules are
the door's (`policy`), and so are the parts; whatever is not plain, or ceases to be, goes the long way, from where it
stands: before Redis was asked as if nothing had been, later with what is known.
"""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from flotilla.problems import Problem
from flotilla.telemetry.traces import sampled

from flotilla_gateway.abuse.screen import is_screened
from flotilla_gateway.browser.sessions import AUTH
from flotilla_gateway.edge.turn import Turn
from flotilla_gateway.forward.answer import taken
from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.forward.errors import CallerGoneError, ClosedEarlyError, ExchangeError
from flotilla_gateway.forward.exchange import FAULTS, IDEMPOTENT, believe, deliver, forward
from flotilla_gateway.forward.explain import explain
from flotilla_gateway.forward.passage import CALLER_GONE, Outcome, Passage, Receive, Send
from flotilla_gateway.forward.upstream import Upstream
from flotilla_gateway.limits.limiter import Decision, Question
from flotilla_gateway.paths import check_path
from flotilla_gateway.policy import API, Policy, Scope
from flotilla_gateway.routing import Operation
from flotilla_gateway.trust.session import Session
from flotilla_gateway.visit import Visit

if TYPE_CHECKING:
    from flotilla_gateway.edge.protocol import EdgeProtocol
    from flotilla_gateway.gateway import Gateway

VERSION = "1.1"
"""An older caller can be sent nothing whose length is not known, which the long way looks at."""


class Express:
    """Of one gateway."""

    def __init__(self, gateway: "Gateway", policy: Policy) -> None:
        self._gateway = gateway
        self._policy = policy
        self._limiter = gateway.limiter
        self._table = gateway.table
        self._upstreams = gateway.upstreams

    def take(self, client: "EdgeProtocol", turn: Turn) -> bool:
        """Whether it goes the short way; else nothing happened to it."""
        body = turn.body_here
        if body is None or len(body) > self._policy.settings.body_bytes:
            return False
        if turn.version != VERSION or turn.method == "HEAD":
            return False
        try:
            errand = self._plain(turn)
        except Exception:  # Whatever it is, the long way meets it too, and says it.
            return False
        if errand is None:
            return False
        errand.policy, errand.client, errand.body, errand.connection = self._policy, client, body, None
        self._limiter.ask(errand.question, errand.decided)
        return True

    def _plain(self, turn: Turn) -> "Errand | None":
        """What it is about; None where it is not plain."""
        policy = self._policy
        errand = policy.arrive(Errand, turn)
        if errand.query or not self._table.remembers(errand.path):
            check_path(errand.path, errand.query)
        if not errand.path.startswith(API):
            return None
        policy.route(errand)
        operation = errand.operation
        if operation is None or is_screened(operation):
            return None
        upstream = self._upstreams.get(operation.service)
        if upstream is None or not upstream.is_ready:
            return None
        errand.wanted, errand.upstream = operation, upstream
        errand.asking, errand.question = policy.question(errand, operation)
        if operation.service == AUTH and self._gateway.browsers.concern(errand):
            return None
        errand.trace = policy.traceparent(errand)
        return None if sampled(errand.trace) else errand


class Errand(Visit):
    """One plain request, from the question to Redis to the last byte of the answer."""

    __slots__ = (
        "asking",
        "body",
        "client",
        "connection",
        "policy",
        "question",
        "trace",
        "upstream",
        "wanted",
    )
    policy: Policy
    client: "EdgeProtocol"
    upstream: Upstream
    wanted: Operation
    body: bytes
    asking: Session | None
    """Who asks, if Redis says that they may."""
    question: Question
    trace: str | None
    connection: Connection | None

    def decided(self, decision: Decision) -> None:
        """Redis has said whether it may go on."""
        policy, upstream, client = self.policy, self.upstream, self.client
        try:
            policy.admit(self, self.wanted, self.asking, self.question, decision)
            self.traceparent = self.trace
            if client.gone:
                self._end(CallerGoneError())
            elif upstream.is_ready and (connection := upstream.ready()):
                self.connection = connection
                request = policy.request(self, self.wanted, upstream, self.body)
                connection.listener = self.heard
                client.watch(connection.leave)
                connection.begin(request, bodiless=False)
            else:
                self._carry_on(forward(upstream, self._as_passage(), policy.added(self)))
        except Exception as error:
            self._end(error)

    def heard(self, error: ExchangeError | None) -> None:
        """The head of the answer is here, perhaps with all of it; or the exchange has ended early."""
        connection = self.connection
        assert connection is not None
        connection.listener = None
        try:
            if error is None:
                self._answer(connection)
            elif isinstance(error, ClosedEarlyError) and error.untouched and self.wanted.method in IDEMPOTENT:
                self._let_go()
                passage = self._as_passage()
                passage.again = True
                self._carry_on(forward(self.upstream, passage, self.policy.added(self)))
            else:
                self._end(error)
        except Exception as mistake:
            self._end(mistake)

    def _answer(self, connection: Connection) -> None:
        believe(connection)
        policy, upstream = self.policy, self.upstream
        upstream.breaker.succeeded()
        if connection.complete and self.client.keeps_up:
            status = connection.status
            lines, body = taken(connection, policy.response_lines(self, connection))
            self.turn.respond(status, lines, body)
            self._let_go()
            policy.note(self, status, len(body))
        else:
            passage, self.connection = self._as_passage(), None
            self._carry_on(deliver(upstream, connection, None, passage, policy.added(self)))

    def _as_passage(self) -> Passage:
        return self.policy.passage(self, self.wanted, self.turn.receive, self.turn.send)

    def _carry_on(self, rest: Awaitable[Outcome]) -> None:
        """The long way from here."""
        conducted = self.policy.conduct(self, rest)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await conducted

        self.client.run(self.turn, app)

    def _end(self, error: Exception) -> None:
        """It ends, and not with the service's answer."""
        try:
            self._let_go()
            outcome = self._explained(error)
        except Exception as mistake:
            outcome = self.policy.fail(self, mistake)
        self.policy.note(self, outcome.status, outcome.sent)

    def _explained(self, error: Exception) -> Outcome:
        if isinstance(error, CallerGoneError):
            if not self.client.gone:
                self.client.abort()  # This process stops, and cannot wait any longer.
            return Outcome(CALLER_GONE, 0)
        if isinstance(error, FAULTS):
            self.upstream.breaker.failed()
        if isinstance(error, ExchangeError):
            error = explain(self.upstream.name, error, self.policy.settings.body_bytes)
        if isinstance(error, Problem):
            return self.policy.refuse(self, error)
        return self.policy.fail(self, error)

    def _let_go(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            self.client.watch(None)
            self.upstream.release(connection)
