"""WebSockets: the handshake is checked and passed on, then bytes are relayed as they come, both ways.

The gateway looks into no frame: pings, compression and close codes are between the caller and the websocket
service. Each side is read only as fast as the other takes it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from flotilla.problems import BadRequestError, NotFoundError, Problem, UnavailableError
from msgspec import UNSET
from uvicorn.server import ServerState

from flotilla_gateway import metrics
from flotilla_gateway.abuse.watch import Watch
from flotilla_gateway.access_log import AccessLine, AccessLog, timestamp
from flotilla_gateway.browser.sessions import Browsers
from flotilla_gateway.edge import security
from flotilla_gateway.edge.admission import OF_CALLERS, Admission
from flotilla_gateway.edge.clients import Caller, Callers
from flotilla_gateway.edge.relay import Opening, Relay
from flotilla_gateway.edge.wire import Handshake, raw_response
from flotilla_gateway.forward.connection import SWITCHING, Connection
from flotilla_gateway.forward.errors import ExchangeError
from flotilla_gateway.forward.headers import (
    Header,
    header,
    lines,
    passed_lines,
    request_head,
    usable_request_id,
)
from flotilla_gateway.forward.passage import CALLER_GONE
from flotilla_gateway.forward.upstream import Upstream
from flotilla_gateway.paths import check_path
from flotilla_gateway.problems import AddressBlockedError
from flotilla_gateway.settings import GatewaySettings
from flotilla_gateway.trust.credentials import from_fields, from_query, from_subprotocols
from flotilla_gateway.trust.session import Session

log = structlog.get_logger()

LIVE_PATH: Final = b"/v1/live"
_REJECTED_BODY: Final = 64 * 1024
_NOT_THEIRS: Final = (b"date", b"server", b"x-request-id")


class Tunnels:
    """All tunnels of this process."""

    def __init__(
        self,
        upstream: Upstream | None,
        admission: Admission,
        callers: Callers,
        browsers: Browsers,
        watch: Watch,
        access_log: AccessLog,
        settings: GatewaySettings,
    ) -> None:
        self._upstream = upstream
        self._admission = admission
        self._callers = callers
        self._browsers = browsers
        self._watch = watch
        self._access_log = access_log
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self._relays: dict[Relay, Session] = {}

    def open(
        self,
        transport: asyncio.Transport,
        handshake: Handshake,
        state: ServerState,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Take a caller's connection over, from the head of its handshake to its end, at which `ended` is called."""
        task = asyncio.create_task(self._serve(transport, handshake, state))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: ended())
        opening = Opening(task, transport)
        transport.set_protocol(opening)
        connections: set[Any] = state.connections
        connections.add(opening)
        task.add_done_callback(lambda _: connections.discard(opening))

    def sweep(self, now: float) -> None:
        """Cut tunnels whose reader takes nothing, and those of programs whose key is good no more."""
        for relay, session in list(self._relays.items()):
            if self._admission.sessions.is_over(session):
                relay.transport.abort()
            else:
                relay.check_stall(now, self._settings.stall_seconds)

    def close(self) -> None:
        """Cut them all."""
        for relay in self._relays:
            relay.transport.abort()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, transport: asyncio.Transport, handshake: Handshake, state: ServerState) -> None:
        started = time.perf_counter()
        request_id = usable_request_id(header(handshake.headers, b"x-request-id"))
        caller = self._caller(handshake)
        https = caller.scheme == "https"
        session, status, passed = None, SWITCHING, 0
        try:
            session = await self._admit(handshake, caller)
            connection = await self._connect(handshake, session, request_id)
            if connection.status != SWITCHING:
                passed = await self._reject(transport, connection, request_id, https=https)
                status = connection.status
            else:
                passed = await self._relay(transport, connection, session, state, request_id, https=https)
        except Problem as problem:
            status = problem.status
            if not isinstance(problem, AddressBlockedError):
                self._watch.saw(caller, status, None)
            transport.write(raw_response(problem, request_id.decode(), https=https))
        except ExchangeError as error:
            status = UnavailableError.status
            log.warning("tunnel.broken", error=str(error))
            transport.write(raw_response(_unavailable(), request_id.decode(), https=https))
        except asyncio.CancelledError:
            status = CALLER_GONE
            raise
        finally:
            transport.close()
            self._note(handshake, caller, session, request_id, status, passed, started)

    def _caller(self, handshake: Handshake) -> Caller:
        return self._callers.of(handshake.peer, handshake.scheme, handshake.headers, dict(handshake.headers))

    async def _admit(self, handshake: Handshake, caller: Caller) -> Session:
        path, _, query = handshake.target.partition(b"?")
        check_path(path, query)
        if path != LIVE_PATH:
            raise NotFoundError("No WebSocket is opened here.")
        if handshake.method != "GET" or header(handshake.headers, b"sec-websocket-key") is None:
            raise BadRequestError("This is not a WebSocket handshake (RFC 6455 section 4.1).")
        token = (
            from_fields(header(handshake.headers, b"authorization"), header(handshake.headers, b"x-api-key"))
            or from_subprotocols(handshake.headers)[0]
            or from_query(query)[0]
        )
        fields = dict(handshake.headers) if token is None else {}
        cookie = self._browsers.credential(fields) if token is None else None
        session = await self._admission.admit(token or cookie, OF_CALLERS, caller)
        if cookie is not None:
            self._browsers.check_socket(fields, caller.scheme, session)
        return session

    async def _connect(self, handshake: Handshake, session: Session, request_id: bytes) -> Connection:
        """A connection whose answer's head has come."""
        upstream = self._upstream
        if upstream is None or upstream.breaker.wait():
            raise _unavailable()
        try:
            connection = await upstream.dial()
            try:
                connection.begin(self._request(upstream, handshake, session, request_id), bodiless=False)
                await connection.head()
            except BaseException:
                upstream.release(connection)
                raise
        except ExchangeError:
            upstream.breaker.failed()
            raise
        except BaseException:
            upstream.breaker.undecided()
            raise
        upstream.breaker.succeeded()
        upstream.surrender(connection)
        return connection

    def _request(
        self, upstream: Upstream, handshake: Handshake, session: Session, request_id: bytes
    ) -> bytes:
        path, _, query = handshake.target.partition(b"?")
        rest = from_query(query)[1]
        offered = from_subprotocols(handshake.headers)[1]
        caller = self._caller(handshake)
        added: list[Header] = [
            (b"connection", b"Upgrade"),
            (b"upgrade", b"websocket"),
            (b"x-request-id", request_id),
            (b"x-forwarded-for", caller.address.encode()),
            (b"x-forwarded-proto", caller.scheme.encode()),
            (b"flotilla-principal", session.principal(upstream.name)),
        ]
        if offered:
            added.append((b"sec-websocket-protocol", b", ".join(offered)))
        kept = [field for field in handshake.headers if field[0] != b"sec-websocket-protocol"]
        target = path + b"?" + rest if rest else path
        fields = dict(handshake.headers)
        passed = passed_lines(kept, fields, with_credentials=False)
        return request_head(b"GET", target, upstream.authority, passed, lines(added))

    async def _reject(
        self, transport: asyncio.Transport, connection: Connection, request_id: bytes, *, https: bool
    ) -> int:
        """The service declined: its answer, whole, as the last on this connection."""
        body = bytearray()
        try:
            while not connection.complete and len(body) < _REJECTED_BODY:
                await connection.more()
                body += connection.take()
        finally:
            connection.transport.abort()
        body += connection.take()
        type_ = header(connection.headers, b"content-type") or b"application/octet-stream"
        head = b"HTTP/1.1 %d \r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n"
        fields = lines([(b"x-request-id", request_id), security.NO_STORE, *security.guards(https=https)])
        transport.write(b"".join([head % (connection.status, type_, len(body)), fields, b"\r\n", body]))
        return len(body)

    async def _relay(
        self,
        transport: asyncio.Transport,
        connection: Connection,
        session: Session,
        state: ServerState,
        request_id: bytes,
        *,
        https: bool,
    ) -> int:
        caller, service = Relay(transport), Relay(connection.detach())
        caller.other, service.other = service, caller
        theirs = [field for field in connection.headers if field[0] not in _NOT_THEIRS]
        fields = lines([*theirs, (b"x-request-id", request_id), *security.guards(https=https)])
        first = b"HTTP/1.1 101 Switching Protocols\r\n"
        transport.write(b"".join([first, fields, b"\r\n", connection.leftover]))
        transport.set_protocol(caller)
        service.transport.set_protocol(service)
        relays = {caller, service}
        connections: set[Any] = state.connections
        connections.add(caller)
        self._relays |= dict.fromkeys(relays, session)
        metrics.TUNNELS.inc()
        try:
            await asyncio.wait([caller.ended, service.ended])
        finally:
            metrics.TUNNELS.dec()
            connections.discard(caller)
            for relay in relays:
                del self._relays[relay]
                relay.transport.close()
        return service.passed

    def _note(
        self,
        handshake: Handshake,
        caller: Caller,
        session: Session | None,
        request_id: bytes,
        status: int,
        passed: int,
        started: float,
    ) -> None:
        line = AccessLine(
            ts=timestamp(),
            request_id=request_id.decode(),
            method="WEBSOCKET",
            route=LIVE_PATH.decode() if handshake.target.partition(b"?")[0] == LIVE_PATH else "-",
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 3),
            sent=passed,
            network=caller.network,
            caller=caller.pseudonym,
            actor=session.actor if session else UNSET,
            org=session.org if session else UNSET,
            upstream="websocket",
        )
        self._access_log.add(line)


def _unavailable() -> UnavailableError:
    return UnavailableError("The live channel is not available.", headers={"retry-after": "1"})
