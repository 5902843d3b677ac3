"""What holds for every request at the door, whichever way it takes: route, who asks, what is added, what is logged.

Nothing here awaits. The door (`door`) awaits between these steps;
the short way (`express`) is called back between them.
"""

import re
from collections.abc import Awaitable, Mapping, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from flotilla.problems import NotFoundError, Problem, UnavailableError, render
from flotilla.telemetry.traces import new_traceparent

from flotilla_gateway.browser.cookies import without_ours
from flotilla_gateway.browser.sessions import COOKIE
from flotilla_gateway.edge import security
from flotilla_gateway.edge.admission import approve
from flotilla_gateway.edge.tunnel import LIVE_PATH
from flotilla_gateway.edge.turn import Turn
from flotilla_gateway.forward.answer import Added
from flotilla_gateway.forward.body import framing
from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.forward.headers import Header, lines, request_head, usable_request_id
from flotilla_gateway.forward.passage import Outcome, Passage, Receive, Send
from flotilla_gateway.forward.upstream import Upstream
from flotilla_gateway.limits.hooks import HOOK
from flotilla_gateway.limits.limiter import Decision, Question
from flotilla_gateway.problems import AddressBlockedError, UpgradeRequiredError
from flotilla_gateway.routing import Operation
from flotilla_gateway.trust.credentials import from_fields, from_query
from flotilla_gateway.trust.session import Session
from flotilla_gateway.visit import Visit

if TYPE_CHECKING:
    from flotilla_gateway.gateway import Gateway

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
V = TypeVar("V", bound=Visit)

API: Final = b"/v1/"
_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
"""W3C Trace Context, section 3.2."""
FIRST_BAD: Final = 400
STREAMS: Final = "/v1/live/"
"""Opened by EventSource, which can only put a token into the query."""


class Policy:
    """Of one gateway."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self.settings = gateway.settings
        self._honours_traces = gateway.settings.honour_traceparent
        self._trace_ratio = gateway.settings.trace_ratio

    # Before Redis is asked

    def arrive(self, kind: type[V], turn: Turn) -> V:
        """A request came."""
        client = turn.client
        caller = self._gateway.callers.of(client.peer, client.scheme or "http", turn.headers, turn.fields)
        return kind(turn, caller, usable_request_id(turn.fields.get(b"x-request-id")))

    def route(self, visit: Visit) -> Mapping[str, Operation]:
        """The operations of its path, and which it asks for, if any (`visit.operation`); 404 and 426 problems."""
        operations = self._gateway.table.find(visit.path)
        if not operations and visit.path == LIVE_PATH:
            raise UpgradeRequiredError("Open a WebSocket here.", headers={"upgrade": "websocket"})
        if operations is None:
            raise NotFoundError("No such path; /docs lists those there are.")
        method = visit.method
        visit.operation = operations.get(method) or (operations.get("GET") if method == "HEAD" else None)
        return operations

    def question(self, visit: Visit, operation: Operation) -> tuple[Session | None, Question]:
        """Who asks, and what to ask Redis; 401, 403 and 429 problems.

        Webhooks count by account and are never blocked or screened; others open to all by their address.
        """
        gateway, caller = self._gateway, visit.caller
        if operation.public:
            if operation.limit == HOOK:
                question = gateway.hooks.question(operation, visit.path, caller)
                visit.hook = question.name
                return None, question
            budget = gateway.limiter.classes[operation.limit]
            return None, Question(budget, caller.bucket, None, caller.block)
        fields = visit.fields
        token = from_fields(fields.get(b"authorization"), fields.get(b"x-api-key"))
        if token is None and operation.template.startswith(STREAMS):
            token, visit.query = from_query(visit.query)
        if token is None and COOKIE in fields:
            token = gateway.browsers.credential(fields)
            visit.by_cookie = token is not None
        return gateway.admission.recognise(token, operation.limit, caller)

    # What it said

    def admit(
        self,
        visit: Visit,
        operation: Operation,
        session: Session | None,
        question: Question,
        decision: Decision,
    ) -> None:
        """It may go on; else 401, 402, 403, 429 or 503 problems."""
        if session is None:
            approve(question, decision)
        else:
            self._gateway.admission.let_in(session, question, decision, operation.feature)
            visit.session = session
            if visit.by_cookie:
                self._gateway.browsers.check(visit)
        visit.limit_headers = decision.headers

    def traceparent(self, visit: Visit) -> str | None:
        """The head of its trace."""
        given = visit.fields.get(b"traceparent") if self._honours_traces else None
        if given is not None and _TRACEPARENT(given):
            return given.decode("ascii")
        return new_traceparent(self._trace_ratio) if self._trace_ratio > 0 else None

    def upstream(self, operation: Operation) -> Upstream:
        """Who answers it; a 503 problem where nobody does here."""
        upstream = self._gateway.upstreams.get(operation.service)
        if upstream is None:
            raise UnavailableError(f"`{operation.service}` does not run here.", headers={"retry-after": "30"})
        return upstream

    def passage(self, visit: Visit, operation: Operation, receive: Receive, send: Send) -> Passage:
        """The request as the service is asked the long way."""
        turn = visit.turn
        return Passage(
            client=turn.client,
            receive=receive,
            send=send,
            method=operation.method,
            target=_target(visit),
            received=_received(visit, operation),
            fields=visit.fields,
            added=_request_lines(visit),
            with_credentials=operation.public,
            body_limit=self.settings.body_bytes,
            head_only=visit.method == "HEAD",
            http10=turn.version == "1.0",
        )

    def request(self, visit: Visit, operation: Operation, upstream: Upstream, body: bytes) -> bytes:
        """The same as bytes, with a body that is here as a whole."""
        fields = visit.fields
        said = visit.turn.client.said
        head = request_head(
            operation.method.encode(),
            _target(visit),
            upstream.authority,
            said.passed(_received(visit, operation), fields, with_credentials=operation.public),
            _request_lines(visit) + framing(operation.method, fields, body),
        )
        return head + body if body else head

    # Answers

    def added(self, visit: Visit) -> Added:
        """What the gateway says beside a service's answer."""
        return partial(self.response_lines, visit)

    def response_lines(self, visit: Visit, answer: Connection) -> bytes:
        """The same of this answer."""
        own = b"x-request-id: %b\r\n" % visit.request_id
        if visit.limit_headers:
            own += lines(visit.limit_headers)
        own += self._guards(visit)
        return own if b"cache-control" in answer.fields else own + security.NO_STORE_LINE

    def _guards(self, visit: Visit) -> bytes:
        guards = security.API_HTTPS_LINES if visit.caller.scheme == "https" else security.API_LINES
        cors = self._gateway.cors
        if not cors.in_use:
            return guards
        org = visit.session.org_id if visit.session is not None else None
        anonymous = visit.operation is None or visit.operation.public
        return guards + lines(cors.response_headers(visit.fields.get(b"origin"), org, anonymous=anonymous))

    # The end

    async def conduct(self, visit: Visit, serving: Awaitable[Outcome]) -> None:
        """See it through, whatever comes of it."""
        try:
            outcome = await serving
        except Problem as problem:
            outcome = self.refuse(visit, problem)
        except Exception as error:
            outcome = self.fail(visit, error)
        self.note(visit, outcome.status, outcome.sent)

    def refuse(self, visit: Visit, problem: Problem) -> Outcome:
        """The problem is the answer."""
        status, fields, body = render(problem, visit.request_id.decode())
        visit.blocked = isinstance(problem, AddressBlockedError)
        if status == 401:
            fields.setdefault("www-authenticate", 'Bearer realm="flotilla"')
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields.items()]
        named = {name for name, _ in headers}
        headers += [
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", visit.request_id),
            security.NO_STORE,
            *(field for field in visit.limit_headers if field[0] not in named),
        ]
        said = lines(headers) + self._guards(visit)
        visit.turn.respond(status, said, b"" if visit.method == "HEAD" else body)
        return Outcome(status, len(body))

    def fail(self, visit: Visit, error: Exception) -> Outcome:
        """A mistake of ours: logged with its stack, told without."""
        log.error("request.failed", request_id=visit.request_id.decode(), exc_info=error)
        if visit.turn.response_started:
            visit.turn.client.abort()
            return Outcome(Problem.status, 0)
        return self.refuse(visit, Problem("Try again; if it persists, tell the operator."))

    def note(self, visit: Visit, status: int, sent: int) -> None:
        """Log it, count it, and hold it against the caller where it ended badly; `sent`: bytes of the body."""
        visit.note(self._gateway.access_log, status, sent)
        if visit.hook is not None and visit.operation is not None:
            self._gateway.hooks.ended(visit.operation, visit.hook, visit.caller, status)
        if status >= FIRST_BAD and not visit.blocked:
            self._gateway.watch.saw(visit.caller, status, visit.operation)


def _target(visit: Visit) -> bytes:
    return visit.path + b"?" + visit.query if visit.query else visit.path


def _received(visit: Visit, operation: Operation) -> list[Header]:
    """A route for everybody gets cookies as they come, but none of ours."""
    if operation.public and COOKIE in visit.fields:
        rest = without_ours(visit.fields[COOKIE])
        headers = [field for field in visit.headers if field[0] != COOKIE]
        return [*headers, (COOKIE, rest)] if rest else headers
    return visit.headers


def _request_lines(visit: Visit) -> bytes:
    added = b"x-request-id: %b\r\n%b" % (visit.request_id, visit.caller.forwarded)
    if (host := visit.fields.get(b"host")) is not None:
        added += b"x-forwarded-host: %b\r\n" % host
    if visit.session is not None and visit.operation is not None:
        added += b"flotilla-principal: %b\r\n" % visit.session.principal(visit.operation.service)
    if visit.traceparent is not None:
        added += b"traceparent: %b\r\n" % visit.traceparent.encode()
    return added
