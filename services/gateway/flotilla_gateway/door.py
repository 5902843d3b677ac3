"""The door: what happens to a request, in order.

Path → route → who asks → how often they may → forwarded, or a problem. Own pages (/docs, /healthz, …) are
answered by this process's FastAPI application.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any, Final

import structlog
from flotilla.problems import NotFoundError, Problem, UnavailableError, render
from flotilla.telemetry.traces import new_traceparent, span
from opentelemetry.trace import SpanKind

from flotilla_gateway.abuse.watch import HOOK
from flotilla_gateway.browser.cookies import without_ours
from flotilla_gateway.browser.sessions import AUTH, COOKIE
from flotilla_gateway.edge import security
from flotilla_gateway.edge.admission import count
from flotilla_gateway.edge.protocol import CLIENT, EdgeProtocol
from flotilla_gateway.edge.tunnel import LIVE_PATH
from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.forward.exchange import forward
from flotilla_gateway.forward.headers import VIA, Header, header, usable_request_id
from flotilla_gateway.forward.passage import Outcome, Passage, Receive, Send
from flotilla_gateway.gateway import Gateway
from flotilla_gateway.limits.limiter import Decision
from flotilla_gateway.pages.local import Local
from flotilla_gateway.paths import check_path
from flotilla_gateway.problems import AddressBlockedError, MethodNotAllowedError, UpgradeRequiredError
from flotilla_gateway.routing import Operation
from flotilla_gateway.trust.credentials import from_fields, from_query
from flotilla_gateway.visit import Visit

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

API: Final = b"/v1/"
_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
"""W3C Trace Context, section 3.2."""
OWN_SERVICE: Final = "gateway"
FIRST_BAD: Final = 400
STREAMS: Final = "/v1/live/"
"""Opened by EventSource, which can only put a token into the query."""


class Door:
    """The ASGI application of the gateway."""

    def __init__(self, gateway: Gateway, pages: Asgi) -> None:
        """`pages`: this process's FastAPI application."""
        self._gateway = gateway
        self._local = Local(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway serves no {scope['type']!r} by ASGI")
        visit = self._arrive(scope)
        try:
            outcome = await self._serve(visit, receive, send)
        except Problem as problem:
            outcome = await self._refuse(visit, problem, send)
        except Exception as error:
            outcome = await self._fail(visit, error, send)
        visit.note(self._gateway.access_log, outcome)
        if outcome.status >= FIRST_BAD and not visit.blocked:
            self._gateway.watch.saw(visit.caller, outcome.status, visit.operation)

    def _arrive(self, scope: Scope) -> Visit:
        headers: list[Header] = scope["headers"]
        fields = dict(headers)
        peer = scope["client"]
        caller = self._gateway.callers.of(peer[0] if peer else "", scope["scheme"], headers)
        request_id = usable_request_id(fields.get(b"x-request-id"))
        return Visit(scope, headers, fields, caller, request_id, time.perf_counter())

    async def _serve(self, visit: Visit, receive: Receive, send: Send) -> Outcome:
        scope = visit.scope
        path: bytes = scope["raw_path"]
        check_path(path, scope["query_string"])
        if not path.startswith(API):
            return await self._local.page(visit, receive, send)
        operations = self._gateway.table.find(path)
        if path == LIVE_PATH and not operations:
            raise UpgradeRequiredError("Open a WebSocket here.", headers={"upgrade": "websocket"})
        if operations is None:
            raise NotFoundError("No such path; /docs lists those there are.")
        method: str = scope["method"]
        visit.operation = operation = operations.get(method) or (
            operations.get("GET") if method == "HEAD" else None
        )
        if operation is None:
            return await self._without_operation(visit, operations, send)
        await self._admit(visit, operation)
        traceparent = self._traceparent(visit)
        if traceparent is None:
            return await self._pass_on(visit, operation, receive, send)
        with span(f"{operation.method} {operation.template}", traceparent, SpanKind.SERVER) as own:
            visit.traceparent = own
            return await self._pass_on(visit, operation, receive, send)

    async def _admit(self, visit: Visit, operation: Operation) -> None:
        gateway, caller = self._gateway, visit.caller
        if operation.public:
            decision = await self._admit_anybody(visit, operation)
        else:
            fields = visit.fields
            token = from_fields(fields.get(b"authorization"), fields.get(b"x-api-key"))
            if token is None and operation.template.startswith(STREAMS):
                token, visit.query = from_query(visit.query)
            if token is None and COOKIE in fields:
                token = gateway.browsers.credential(fields)
                visit.by_cookie = token is not None
            visit.session, decision = await gateway.admission.admit(
                token, operation.limit, caller, operation.feature
            )
            if visit.by_cookie:
                gateway.browsers.check(visit)
        visit.limit_headers = decision.headers

    async def _admit_anybody(self, visit: Visit, operation: Operation) -> Decision:
        """Webhooks count by account and are never blocked or screened; others by their address."""
        gateway, caller = self._gateway, visit.caller
        budget = gateway.limiter.classes[operation.limit]
        if operation.limit == HOOK:
            return await count(gateway.limiter, budget, visit.path.decode())
        decision = await count(gateway.limiter, budget, caller.bucket, block=caller.block)
        visit.limit_headers = decision.headers
        await gateway.screen.check(operation, caller, visit.fields, budget, decision)
        return decision

    async def _pass_on(self, visit: Visit, operation: Operation, receive: Receive, send: Send) -> Outcome:
        if operation.service == OWN_SERVICE:
            return await self._local.operation(visit, receive, send)
        upstream = self._gateway.upstreams.get(operation.service)
        if upstream is None:
            raise UnavailableError(f"`{operation.service}` does not run here.", headers={"retry-after": "30"})
        scope = visit.scope
        passage = Passage(
            client=scope[CLIENT],
            receive=receive,
            send=send,
            method=operation.method,
            target=visit.path + b"?" + visit.query if visit.query else visit.path,
            received=_without_session(visit)
            if operation.public and COOKIE in visit.fields
            else visit.headers,
            fields=visit.fields,
            added=_request_headers(visit),
            with_credentials=operation.public,
            body_limit=self._gateway.settings.body_bytes,
            head_only=scope["method"] == "HEAD",
            http10=scope["http_version"] == "1.0",
        )
        added = partial(self._response_headers, visit)
        if operation.service == AUTH and self._gateway.browsers.concern(visit):
            return await self._gateway.browsers.exchange(visit, upstream, passage, added)
        return await forward(upstream, passage, added)

    def _response_headers(self, visit: Visit, answer: Connection) -> list[Header]:
        added = [(b"x-request-id", visit.request_id), *visit.limit_headers, *self._guards(visit)]
        if header(answer.headers, b"cache-control") is None:
            added.append(security.NO_STORE)
        return added

    def _guards(self, visit: Visit) -> Sequence[Header]:
        guards = security.guards(https=visit.caller.scheme == "https")
        if not self._gateway.cors.in_use:
            return guards
        org = visit.session.org_id if visit.session is not None else None
        anonymous = visit.operation is None or visit.operation.public
        origin = visit.fields.get(b"origin")
        return (*guards, *self._gateway.cors.response_headers(origin, org, anonymous=anonymous))

    async def _without_operation(
        self, visit: Visit, operations: Mapping[str, Operation], send: Send
    ) -> Outcome:
        """OPTIONS is answered here; any other method the path does not have is a problem."""
        methods = sorted(operations)
        wanted = visit.fields.get(b"access-control-request-method", b"").decode("latin-1")
        asked_for = operations.get(wanted)
        if "GET" in methods and "HEAD" not in methods:
            methods = [*methods, "HEAD"]
        allow = ", ".join([*methods, "OPTIONS"])
        if visit.scope["method"] != "OPTIONS":
            raise MethodNotAllowedError(f"It takes {allow}.", headers={"allow": allow})
        headers = [
            (b"allow", allow.encode()),
            (b"x-request-id", visit.request_id),
            *security.guards(https=visit.caller.scheme == "https"),
            *self._gateway.cors.preflight_headers(
                visit.fields, allow.encode(), anonymous=asked_for is None or asked_for.public
            ),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return Outcome(204, 0)

    async def _fail(self, visit: Visit, error: Exception, send: Send) -> Outcome:
        """A mistake of ours: logged with its stack, told without."""
        log.error("request.failed", request_id=visit.request_id.decode(), exc_info=error)
        client: EdgeProtocol = visit.scope[CLIENT]
        if client.answering:
            client.abort()
            return Outcome(Problem.status, 0)
        return await self._refuse(visit, Problem("Try again; if it persists, tell the operator."), send)

    async def _refuse(self, visit: Visit, problem: Problem, send: Send) -> Outcome:
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
            *self._guards(visit),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return Outcome(status, len(body))

    def _traceparent(self, visit: Visit) -> str | None:
        settings = self._gateway.settings
        given = visit.fields.get(b"traceparent") if settings.honour_traceparent else None
        if given is not None and _TRACEPARENT(given):
            return given.decode("ascii")
        return new_traceparent(settings.trace_ratio) if settings.trace_ratio > 0 else None


def _without_session(visit: Visit) -> list[Header]:
    """A route for everybody gets cookies as they come, but none of ours."""
    rest = without_ours(visit.fields[COOKIE])
    headers = [field for field in visit.headers if field[0] != COOKIE]
    return [*headers, (COOKIE, rest)] if rest else headers


def _request_headers(visit: Visit) -> list[Header]:
    caller = visit.caller
    added = [
        (b"x-request-id", visit.request_id),
        (b"x-forwarded-for", caller.address.encode()),
        (b"x-forwarded-proto", caller.scheme.encode()),
        (b"via", VIA),
    ]
    if (host := visit.fields.get(b"host")) is not None:
        added.append((b"x-forwarded-host", host))
    if visit.session is not None:
        added.append((b"flotilla-principal", visit.session.principal))
    if visit.traceparent is not None:
        added.append((b"traceparent", visit.traceparent.encode()))
    return added
