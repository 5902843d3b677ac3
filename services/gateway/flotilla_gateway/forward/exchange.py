"""One request passed on: its body streamed to the service, the response streamed back, whatever happens."""

import asyncio
from typing import Final

from flotilla_gateway.forward.answer import Added, in_parts, whole
from flotilla_gateway.forward.body import Body, first_part, pump, without
from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.forward.errors import (
    BadAnswerError,
    BodyTooLargeError,
    CallerGoneError,
    ClosedEarlyError,
    ConnectError,
    ExchangeError,
    TimedOutError,
)
from flotilla_gateway.forward.explain import explain, unavailable
from flotilla_gateway.forward.headers import passed_lines, request_head
from flotilla_gateway.forward.passage import CALLER_GONE, Outcome, Passage
from flotilla_gateway.forward.upstream import Upstream

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""RFC 9110 section 9.2.2: safe to send again where nobody knows whether it arrived."""
FAULTS: Final = (ConnectError, ClosedEarlyError, BadAnswerError, TimedOutError)
"""The service's own."""
FIRST_STATUS: Final = 200
LAST_STATUS: Final = 599

PROBED_SECONDS: Final = 1.0
"""After which a service that had failed has been tried, or not."""

Pumping = asyncio.Task[bool]
"""Still sends the request's body: a service may answer before it has all of it."""


async def forward(upstream: Upstream, passage: Passage, added: Added) -> Outcome:
    """Pass one request on and its response back; a Problem where no response has begun."""
    body = without(passage)
    if body is None:
        if wait := upstream.breaker.left():
            raise unavailable(upstream.name, wait)
        try:
            body = await first_part(passage)
        except CallerGoneError:
            return Outcome(CALLER_GONE, 0)
        except BodyTooLargeError as error:
            raise explain(upstream.name, error, passage.body_limit) from error
    # Whoever tries whether a service is back has the others wait: nobody, while their own body is yet to come.
    breaker = upstream.breaker
    if wait := breaker.wait() if breaker.is_closed or not body.more else PROBED_SECONDS:
        raise unavailable(upstream.name, wait)
    decided = False
    try:
        connection, pumping = await _ask(upstream, passage, body)
        decided = True
        upstream.breaker.succeeded()
    except CallerGoneError:
        return Outcome(CALLER_GONE, 0)
    except ExchangeError as error:
        if isinstance(error, FAULTS):
            decided = True
            upstream.breaker.failed()
        raise explain(upstream.name, error, passage.body_limit) from error
    finally:
        if not decided:
            upstream.breaker.undecided()
    return await deliver(upstream, connection, pumping, passage, added)


async def deliver(
    upstream: Upstream, connection: Connection, pumping: Pumping | None, passage: Passage, added: Added
) -> Outcome:
    """Pass back the response whose head has come."""
    try:
        if connection.complete and passage.client.keeps_up:
            return whole(connection, passage, added)
        return await in_parts(upstream, connection, passage, added)
    finally:
        passage.client.watch(None)
        if pumping is not None:
            connection.reusable = connection.reusable and _sent_all(pumping)
            pumping.cancel()
        upstream.release(connection)


async def _ask(upstream: Upstream, passage: Passage, body: Body) -> tuple[Connection, Pumping | None]:
    """Send the request and wait for the head of the answer; again, once, where that is safe."""
    request = _head(upstream, passage, body)
    if passage.again:
        connection = await upstream.acquire(fresh=True)
    else:
        connection = upstream.ready() or await upstream.acquire()
    may_repeat = (
        connection.exchanges > 0 and passage.method in IDEMPOTENT and not body.more and not passage.again
    )
    pumping = None
    try:
        pumping = _send(connection, request, passage, body)
        await connection.head()
        believe(connection)
        return connection, pumping
    except BaseException as error:
        _let_go(upstream, connection, passage, pumping)
        if not (may_repeat and isinstance(error, ClosedEarlyError) and error.untouched):
            raise
    connection = await upstream.acquire(fresh=True)
    try:
        _send(connection, request, passage, body)
        await connection.head()
        believe(connection)
    except BaseException:
        _let_go(upstream, connection, passage, None)
        raise
    return connection, None


def _send(connection: Connection, request: bytes, passage: Passage, body: Body) -> Pumping | None:
    client = passage.client
    connection.begin(request + body.first, bodiless=passage.method == "HEAD")
    if client.gone:
        raise CallerGoneError
    client.watch(connection.leave)
    return asyncio.create_task(pump(connection, body, passage)) if body.more else None


def _head(upstream: Upstream, passage: Passage, body: Body) -> bytes:
    """What the service is sent before the body."""
    return request_head(
        passage.method.encode(),
        passage.target,
        upstream.authority,
        passed_lines(passage.received, passage.fields, with_credentials=passage.with_credentials),
        passage.added + body.framing,
    )


def believe(connection: Connection) -> None:
    """BadAnswerError for a status that there is not."""
    if not FIRST_STATUS <= connection.status <= LAST_STATUS:
        raise BadAnswerError(f"status {connection.status}")


def _let_go(upstream: Upstream, connection: Connection, passage: Passage, pumping: Pumping | None) -> None:
    passage.client.watch(None)
    if pumping is not None:
        pumping.cancel()
    upstream.release(connection)


def _sent_all(pumping: Pumping) -> bool:
    """Else the service would read the next request as the rest of this one's body."""
    return pumping.done() and not pumping.cancelled() and pumping.exception() is None and pumping.result()
