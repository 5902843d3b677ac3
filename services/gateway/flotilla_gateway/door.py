"""The door: what happens to a request, in order.

Path → route → who asks → how often they may → forwarded, or a problem. Own pages (/docs, /healthz, …) are
answered by this process's FastAPI application. Each step's rules are in `policy`.
"""

from collections.abc import Mapping

from flotilla.problems import UnauthorizedError
from flotilla.telemetry.traces import span
from opentelemetry.trace import SpanKind

from flotilla_gateway.browser.sessions import AUTH
from flotilla_gateway.edge import security
from flotilla_gateway.edge.turn import TURN
from flotilla_gateway.forward.exchange import forward
from flotilla_gateway.forward.passage import Asgi, Outcome, Receive, Send
from flotilla_gateway.gateway import Gateway
from flotilla_gateway.pages.console import answer
from flotilla_gateway.pages.local import OWN_SERVICE, Local
from flotilla_gateway.paths import check_path
from flotilla_gateway.policy import API, Policy, Scope
from flotilla_gateway.problems import MethodNotAllowedError
from flotilla_gateway.routing import Operation
from flotilla_gateway.visit import Visit


class Door:
    """The ASGI application of the gateway."""

    def __init__(self, gateway: Gateway, pages: Asgi) -> None:
        """`pages`: this process's FastAPI application."""
        self._gateway = gateway
        self._policy = Policy(gateway)
        self._local = Local(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the gateway serves no {scope['type']!r} by ASGI")
        visit = self._policy.arrive(Visit, scope[TURN])
        await self._policy.conduct(visit, self._serve(visit, receive, send))

    async def _serve(self, visit: Visit, receive: Receive, send: Send) -> Outcome:
        check_path(visit.path, visit.query)
        if not visit.path.startswith(API):
            console = self._gateway.console
            if console and (file := console.find(visit.method, visit.path, visit.fields)):
                return await answer(visit, file, send)
            return await self._local.page(visit, receive, send)
        operations = self._policy.route(visit)
        operation = visit.operation
        if operation is None:
            return await self._without_operation(visit, operations, send)
        await self._admit(visit, operation)
        traceparent = self._policy.traceparent(visit)
        if traceparent is None:
            return await self._pass_on(visit, operation, receive, send)
        with span(f"{operation.method} {operation.template}", traceparent, SpanKind.SERVER) as own:
            visit.traceparent = own
            return await self._pass_on(visit, operation, receive, send)

    async def _admit(self, visit: Visit, operation: Operation) -> None:
        gateway = self._gateway
        try:
            session, question = self._policy.question(visit, operation)
        except UnauthorizedError:
            await gateway.admission.reject(visit.caller)
            raise
        decision = await gateway.limiter.answer(question)
        self._policy.admit(visit, operation, session, question, decision)
        if operation.public:
            await gateway.screen.check(operation, visit.caller, visit.fields, question.budget, decision)

    async def _pass_on(self, visit: Visit, operation: Operation, receive: Receive, send: Send) -> Outcome:
        if operation.service == OWN_SERVICE:
            return await self._local.operation(visit, receive, send)
        upstream = self._policy.upstream(operation)
        passage = self._policy.passage(visit, operation, receive, send)
        added = self._policy.added(visit)
        if operation.service == AUTH and self._gateway.browsers.concern(visit):
            return await self._gateway.browsers.exchange(visit, upstream, passage, added)
        return await forward(upstream, passage, added)

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
        if visit.method != "OPTIONS":
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
