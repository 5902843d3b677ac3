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
from flotilla_gateway.forward.answer import is_whole, whole
from flotilla_gateway.forward.body import whole_body
from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.forward.errors import CallerGoneError, ClosedEarlyError, ExchangeError
from flotilla_gateway.forward.exchange import FAULTS, IDEMPOTENT, believe, deliver, forward, head_of
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
    from flotilla_gateway.edge.turn import Turn
    from flotilla_gateway.gateway import Gateway


class Express:
    """Of one gateway."""

    def __init__(self, gateway: "Gateway", policy: Policy) -> None:
        self._gateway = gateway
        self._policy = policy

    def take(self, client: "EdgeProtocol", turn: "Turn") -> bool:
        """Whether it goes the short way; else nothing happened to it."""
        body = turn.body_here
        if body is None or len(body) > self._gateway.settings.body_bytes:
            return False
        try:
            visit = self._policy.arrive(turn.scope)
            asked = self._asked(visit)
        except Exception:  # Whatever it is, the long way meets it too, and says it.
            return False
        if asked is None:
            return False
        errand = Errand(self._policy, client, turn, visit, body, *asked)
        self._gateway.limiter.ask(errand.question, errand.decided)
        return True

    def _asked(
        self, visit: Visit
    ) -> "tuple[Operation, Upstream, Session | None, Question, str | None] | None":
        """What the request is about; None where it is not plain."""
        gateway, policy = self._gateway, self._policy
        check_path(visit.path, visit.query)
        if not visit.path.startswith(API) or visit.scope["method"] == "HEAD":
            return None
        policy.route(visit)
        operation = visit.operation
        if operation is None or is_screened(operation):
            return None
        upstream = gateway.upstreams.get(operation.service)
        if upstream is None or not upstream.is_ready:
            return None
        session, question = policy.question(visit, operation)
        if operation.service == AUTH and gateway.browsers.concern(visit):
            return None
        traceparent = policy.traceparent(visit)
        return None if sampled(traceparent) else (operation, upstream, session, question, traceparent)


class Errand:
    """One plain request, from the question to Redis to the last byte of the answer."""

    __slots__ = (
        "_body",
        "_client",
        "_connection",
        "_operation",
        "_passage",
        "_policy",
        "_session",
        "_traceparent",
        "_turn",
        "_upstream",
        "_visit",
        "question",
    )
    _passage: Passage

    def __init__(
        self,
        policy: Policy,
        client: "EdgeProtocol",
        turn: "Turn",
        visit: Visit,
        body: bytes,
        operation: Operation,
        upstream: Upstream,
        session: Session | None,
        question: Question,
        traceparent: str | None,
    ) -> None:
        self._policy = policy
        self._client = client
        self._turn = turn
        self._visit = visit
        self._body = body
        self._operation = operation
        self._upstream = upstream
        self._session = session
        self.question = question
        self._traceparent = traceparent
        self._connection: Connection | None = None

    def decided(self, decision: Decision) -> None:
        """Redis has said whether it may go on."""
        visit, turn = self._visit, self._turn
        try:
            self._policy.admit(visit, self._operation, self._session, self.question, decision)
            visit.traceparent = self._traceparent
            self._passage = self._policy.passage(visit, self._operation, turn.receive, turn.send)
            if self._client.gone:
                self._end(CallerGoneError())
            elif self._upstream.is_ready and (connection := self._upstream.ready()):
                self._connection = connection
                self._send(connection)
            else:
                self._carry_on(forward(self._upstream, self._passage, self._policy.added(visit)))
        except Exception as error:
            self._end(error)

    def _send(self, connection: Connection) -> None:
        body = whole_body(self._passage, self._body)
        request = head_of(self._upstream, self._passage, body) + body.first
        connection.listener = self.heard
        self._client.watch(connection.leave)
        connection.begin(request, bodiless=False)

    def heard(self, error: ExchangeError | None) -> None:
        """The head of the answer is here, perhaps with all of it; or the exchange has ended early."""
        connection = self._connection
        assert connection is not None
        connection.listener = None
        try:
            if error is None:
                self._answer(connection)
            elif (
                isinstance(error, ClosedEarlyError) and error.untouched and self._passage.method in IDEMPOTENT
            ):
                self._let_go()
                self._passage.again = True
                self._carry_on(forward(self._upstream, self._passage, self._policy.added(self._visit)))
            else:
                self._end(error)
        except Exception as mistake:
            self._end(mistake)

    def _answer(self, connection: Connection) -> None:
        believe(connection)
        self._upstream.breaker.succeeded()
        passage, added = self._passage, self._policy.added(self._visit)
        if is_whole(connection, passage):
            outcome = whole(connection, passage, added)
            self._let_go()
            self._policy.note(self._visit, outcome)
        else:
            self._connection = None
            self._carry_on(deliver(self._upstream, connection, None, passage, added))

    def _carry_on(self, rest: Awaitable[Outcome]) -> None:
        """The long way from here."""
        conducted = self._policy.conduct(self._visit, rest)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await conducted

        self._client.run(self._turn, app)

    def _end(self, error: Exception) -> None:
        """It ends, and not with the service's answer."""
        try:
            self._let_go()
            outcome = self._explained(error)
        except Exception as mistake:
            outcome = self._policy.fail(self._visit, mistake)
        self._policy.note(self._visit, outcome)

    def _explained(self, error: Exception) -> Outcome:
        if isinstance(error, CallerGoneError):
            if not self._client.gone:
                self._client.abort()  # This process stops, and cannot wait any longer.
            return Outcome(CALLER_GONE, 0)
        if isinstance(error, FAULTS):
            self._upstream.breaker.failed()
        if isinstance(error, ExchangeError):
            error = explain(self._upstream.name, error, self._passage.body_limit)
        if isinstance(error, Problem):
            return self._policy.refuse(self._visit, error)
        return self._policy.fail(self._visit, error)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._client.watch(None)
            self._upstream.release(connection)
