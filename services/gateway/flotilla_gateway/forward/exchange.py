"""One request passed on: its body streamed to the service, the response streamed back, whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flotilla.problems import Problem, TooLargeError, UnavailableError

from flotilla_gateway.forward.connection import NEVER, Connection
from flotilla_gateway.forward.errors import (
    BadAnswerError,
    BodyTooLargeError,
    BusyError,
    CallerGoneError,
    ClosedEarlyError,
    ConnectError,
    ExchangeError,
    TimedOutError,
)
from flotilla_gateway.forward.headers import (
    NONE,
    Header,
    connection_options,
    header,
    request_head,
    response_headers,
)
from flotilla_gateway.forward.upstream import Upstream
from flotilla_gateway.problems import BadGatewayError, GatewayTimeoutError, HttpVersionError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""RFC 9110 section 9.2.2: safe to send again where nobody knows whether it arrived."""
LAST_STATUS: Final = 599
CALLER_GONE: Final = 499
"""Logged, never sent: the caller left before it was answered."""


class Client(Protocol):
    """The caller's connection."""

    @property
    def gone(self) -> bool: ...
    def watch(self, when_gone: Callable[[], None] | None) -> None: ...
    def end_when_draining(self, end: Callable[[], None] | None) -> None: ...
    def abort(self) -> None: ...
    def respond(self, status: int, headers: Iterable[Header], body: bytes) -> None: ...


@dataclass(slots=True)
class Passage:
    """What is passed on, and how."""

    method: str
    """As the service is asked: a HEAD for a path that only knows GET is asked as GET."""
    target: bytes
    received: Sequence[Header]
    fields: Mapping[bytes, bytes]
    """The same, by name."""
    added: list[Header]
    """To the request."""
    with_credentials: bool
    body_limit: int
    head_only: bool
    """The caller wants no body (HEAD)."""
    http10: bool


@dataclass(slots=True)
class Outcome:
    """How it ended, for the log."""

    status: int
    sent: int
    """Bytes of the response's body."""


@dataclass(slots=True)
class _Body:
    first: bytes
    more: bool
    framing: list[Header]
    size: int = 0
    chunked: bool = False


async def forward(
    upstream: Upstream,
    passage: Passage,
    client: Client,
    receive: Receive,
    send: Send,
    response_added: Callable[[Connection], Sequence[Header]],
) -> Outcome:
    """Pass one request on and its response back; a Problem where no response has begun."""
    if wait := upstream.breaker.wait():
        raise _unavailable(upstream, wait)
    decided = False
    try:
        body = await _first_part(passage, receive)
        connection, pump = await _ask(upstream, passage, body, client, receive)
        decided = True
        upstream.breaker.succeeded()
    except (ConnectError, ClosedEarlyError, BadAnswerError, TimedOutError) as error:
        decided = True
        upstream.breaker.failed()
        raise _explain(upstream, error) from error
    except CallerGoneError:
        return Outcome(CALLER_GONE, 0)
    except ExchangeError as error:
        raise _explain(upstream, error, passage.body_limit) from error
    finally:
        if not decided:
            upstream.breaker.undecided()
    try:
        return await _give_back(upstream, connection, passage, client, send, response_added)
    finally:
        client.watch(None)
        if pump is not None:
            pump.cancel()
            connection.reusable = connection.reusable and pump.done() and not pump.cancelled()
        upstream.release(connection)


async def _first_part(passage: Passage, receive: Receive) -> _Body:
    """The body, or its beginning where it does not come at once; how it is framed for the service."""
    length = passage.fields.get(b"content-length")
    chunked = b"transfer-encoding" in passage.fields
    if length is not None and int(length) > passage.body_limit:
        raise BodyTooLargeError
    if not chunked and (length is None or length == b"0"):
        needs_length = length is not None or passage.method in ("POST", "PUT", "PATCH")
        return _Body(b"", more=False, framing=[(b"content-length", b"0")] if needs_length else [])
    message = await receive()
    if message["type"] == "http.disconnect":
        raise CallerGoneError
    first: bytes = message["body"]
    if len(first) > passage.body_limit:
        raise BodyTooLargeError
    if not message["more_body"]:
        return _Body(first, more=False, framing=[(b"content-length", b"%d" % len(first))])
    if length is not None:
        return _Body(first, more=True, framing=[(b"content-length", length)], size=len(first))
    framing = [(b"transfer-encoding", b"chunked")]
    return _Body(_chunk(first), more=True, framing=framing, size=len(first), chunked=True)


async def _ask(
    upstream: Upstream, passage: Passage, body: _Body, client: Client, receive: Receive
) -> tuple[Connection, asyncio.Task[None] | None]:
    """Send the request and wait for the head of the answer; again, once, where that is safe."""
    request = request_head(
        passage.method.encode(),
        passage.target,
        upstream.authority,
        passage.received,
        passage.added + body.framing,
        nominated=connection_options(passage.received) if b"connection" in passage.fields else NONE,
        with_credentials=passage.with_credentials,
    )
    connection = await upstream.acquire()
    may_repeat = connection.exchanges > 0 and passage.method in IDEMPOTENT and not body.more
    try:
        return connection, await _send_and_wait(connection, request, passage, body, client, receive)
    except BaseException as error:
        upstream.release(connection)
        if not (may_repeat and isinstance(error, ClosedEarlyError) and error.untouched):
            raise
    connection = await upstream.acquire(fresh=True)
    try:
        return connection, await _send_and_wait(connection, request, passage, body, client, receive)
    except BaseException:
        upstream.release(connection)
        raise


async def _send_and_wait(
    connection: Connection, request: bytes, passage: Passage, body: _Body, client: Client, receive: Receive
) -> asyncio.Task[None] | None:
    """The task that still sends the body is given back: the service may answer before it has all of it."""
    connection.begin(request + body.first, bodiless=passage.method == "HEAD")
    if client.gone:
        raise CallerGoneError
    client.watch(lambda: connection.abort(CallerGoneError()))
    pump = None
    if body.more:
        pump = asyncio.create_task(_pump(connection, body, passage.body_limit, receive))
    try:
        await connection.head()
        if not 200 <= connection.status <= LAST_STATUS:
            raise BadAnswerError(f"status {connection.status}")
    except BaseException:
        client.watch(None)
        if pump is not None:
            pump.cancel()
        raise
    return pump


async def _pump(connection: Connection, body: _Body, limit: int, receive: Receive) -> None:
    """The rest of a request's body, as fast as the service takes it."""
    total = body.size
    more = True
    while more:
        await connection.drain()
        message = await receive()
        if message["type"] == "http.disconnect":
            connection.abort(CallerGoneError())
            return
        part: bytes = message["body"]
        more = message["more_body"]
        total += len(part)
        if total > limit:
            connection.abort(BodyTooLargeError())
            return
        if connection.complete or connection.transport.is_closing():
            return
        if part:
            connection.write(_chunk(part) if body.chunked else part)
    if body.chunked:
        connection.write(b"0\r\n\r\n")


async def _give_back(
    upstream: Upstream,
    connection: Connection,
    passage: Passage,
    client: Client,
    send: Send,
    response_added: Callable[[Connection], Sequence[Header]],
) -> Outcome:
    status = connection.status
    bodiless = status in (204, 304)
    if passage.http10 and not bodiless and header(connection.headers, b"content-length") is None:
        raise HttpVersionError("Ask again with HTTP/1.1: the answer is sent as it is made.")
    headers = response_headers(connection.headers, response_added(connection), bodiless=bodiless)
    if connection.complete:
        return _give_back_whole(connection, passage, client, headers, bodiless=bodiless)
    if _is_event_stream(headers):
        upstream.set_apart(connection)
        client.end_when_draining(connection.cut)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    sent = 0
    try:
        while True:
            part = b"" if passage.head_only else connection.take()
            complete = connection.complete or passage.head_only
            connection.deadline = NEVER  # The caller's slowness is no fault of the service.
            sent += len(part)
            if part or complete:
                await send({"type": "http.response.body", "body": part, "more_body": not complete})
            if complete:
                return Outcome(status, sent)
            upstream.heard(connection)
            await connection.more()
    except CallerGoneError:
        return Outcome(CALLER_GONE, sent)
    except (ClosedEarlyError, BadAnswerError, TimedOutError, BodyTooLargeError):
        client.abort()
        return Outcome(502, sent)


def _give_back_whole(
    connection: Connection, passage: Passage, client: Client, headers: list[Header], *, bodiless: bool
) -> Outcome:
    """It is all here already, as most answers are."""
    body = connection.take()
    if not bodiless and not connection.length_said:
        headers.append((b"content-length", b"%d" % len(body)))
    if passage.head_only:
        body = b""
    client.respond(connection.status, headers, body)
    return Outcome(connection.status, len(body))


def _is_event_stream(headers: Sequence[Header]) -> bool:
    return (header(headers, b"content-type") or b"").startswith(b"text/event-stream")


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part) if part else b""


def _unavailable(upstream: Upstream, wait: float) -> UnavailableError:
    seconds = max(1, round(wait + 0.5))
    return UnavailableError(
        f"`{upstream.name}` is not available; the other services are.", headers={"retry-after": str(seconds)}
    )


def _explain(upstream: Upstream, error: ExchangeError, body_limit: int = 0) -> Problem:
    match error:
        case ConnectError() | BusyError():
            return _unavailable(upstream, 0.5)
        case TimedOutError():
            return GatewayTimeoutError(
                f"`{upstream.name}` did not answer in time. Read the thing again before you repeat a change."
            )
        case BodyTooLargeError():
            return TooLargeError(f"A body may have {body_limit} bytes here.")
    return BadGatewayError(
        f"`{upstream.name}` broke off. Read the thing again before you repeat a change, "
        "or repeat it with the same Idempotency-Key."
    )
