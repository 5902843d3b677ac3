"""One request passed on: its body streamed to the service, the response streamed back, whatever happens."""

import asyncio
from typing import Final

from flotilla_gateway.forward.answer import Added, give_back
from flotilla_gateway.forward.body import Body, first_part, pump
from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.forward.errors import (
    BadAnswerError,
    CallerGoneError,
    ClosedEarlyError,
    ConnectError,
    ExchangeError,
    TimedOutError,
)
from flotilla_gateway.forward.explain import explain, unavailable
from flotilla_gateway.forward.headers import NONE, connection_options, request_head
from flotilla_gateway.forward.passage import CALLER_GONE, Outcome, Passage
from flotilla_gateway.forward.upstream import Upstream

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""RFC 9110 section 9.2.2: safe to send again where nobody knows whether it arrived."""
LAST_STATUS: Final = 599

Pumping = asyncio.Task[bool]
"""Still sends the request's body: a service may answer before it has all of it."""


async def forward(upstream: Upstream, passage: Passage, added: Added) -> Outcome:
    """Pass one request on and its response back; a Problem where no response has begun."""
    if wait := upstream.breaker.wait():
        raise unavailable(upstream.name, wait)
    decided = False
    try:
        body = await first_part(passage)
        connection, pumping = await _ask(upstream, passage, body)
        decided = True
        upstream.breaker.succeeded()
    except CallerGoneError:
        return Outcome(CALLER_GONE, 0)
    except ExchangeError as error:
        if isinstance(error, ConnectError | ClosedEarlyError | BadAnswerError | TimedOutError):
            decided = True
            upstream.breaker.failed()
        raise explain(upstream.name, error, passage.body_limit) from error
    finally:
        if not decided:
            upstream.breaker.undecided()
    try:
        return await give_back(upstream, connection, passage, added)
    finally:
        passage.client.watch(None)
        if pumping is not None:
            connection.reusable = connection.reusable and _sent_all(pumping)
            pumping.cancel()
        upstream.release(connection)


async def _ask(upstream: Upstream, passage: Passage, body: Body) -> tuple[Connection, Pumping | None]:
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
        return connection, await _send_and_wait(connection, request, passage, body)
    except BaseException as error:
        upstream.release(connection)
        if not (may_repeat and isinstance(error, ClosedEarlyError) and error.untouched):
            raise
    connection = await upstream.acquire(fresh=True)
    try:
        return connection, await _send_and_wait(connection, request, passage, body)
    except BaseException:
        upstream.release(connection)
        raise


async def _send_and_wait(
    connection: Connection, request: bytes, passage: Passage, body: Body
) -> Pumping | None:
    client = passage.client
    connection.begin(request + body.first, bodiless=passage.method == "HEAD")
    if client.gone:
        raise CallerGoneError
    client.watch(lambda: connection.abort(CallerGoneError()))
    pumping = asyncio.create_task(pump(connection, body, passage)) if body.more else None
    try:
        await connection.head()
        if not 200 <= connection.status <= LAST_STATUS:
            raise BadAnswerError(f"status {connection.status}")
    except BaseException:
        client.watch(None)
        if pumping is not None:
            pumping.cancel()
        raise
    return pumping


def _sent_all(pumping: Pumping) -> bool:
    """Else the service would read the next request as the rest of this one's body."""
    return pumping.done() and not pumping.cancelled() and pumping.exception() is None and pumping.result()
