"""The response on its way back: in one write where it is here already, else part by part."""

from collections.abc import Callable, Sequence
from typing import Final

from flotilla_gateway.forward.connection import NEVER, Connection
from flotilla_gateway.forward.errors import (
    BadAnswerError,
    BodyTooLargeError,
    CallerGoneError,
    ClosedEarlyError,
    TimedOutError,
)
from flotilla_gateway.forward.headers import Header, header, response_headers
from flotilla_gateway.forward.passage import CALLER_GONE, Outcome, Passage
from flotilla_gateway.forward.upstream import Upstream
from flotilla_gateway.problems import BadGatewayError, HttpVersionError

BODILESS: Final = (204, 304)
Added = Callable[[Connection], Sequence[Header]]
"""The header fields that the gateway adds to a response."""


def is_whole(connection: Connection, passage: Passage) -> bool:
    """Whether all of it is here, as of most answers, and the caller takes what it is sent."""
    return connection.complete and passage.client.keeps_up


def whole(connection: Connection, passage: Passage, added: Added) -> Outcome:
    """Send the caller a response that is here as a whole."""
    status, received = connection.status, connection.headers
    body = connection.take()
    bodiless = status in BODILESS
    headers = response_headers(received, added(connection), bodiless=bodiless)
    if not bodiless and not connection.length_said:
        if passage.http10:
            raise _needs_length()
        headers.append((b"content-length", b"%d" % len(body)))
    if passage.head_only:
        body = b""
    passage.client.respond(status, headers, body)
    return Outcome(status, len(body))


async def in_parts(upstream: Upstream, connection: Connection, passage: Passage, added: Added) -> Outcome:
    """Send the caller a response whose head has come, part by part."""
    status, send = connection.status, passage.send
    bodiless = status in BODILESS
    if passage.http10 and not bodiless and not connection.length_said:
        raise _needs_length()
    headers = response_headers(connection.headers, added(connection), bodiless=bodiless)
    if _is_event_stream(headers):
        upstream.set_apart(connection)
        passage.client.end_when_draining(connection.cut)
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
        passage.client.abort()
        return Outcome(BadGatewayError.status, sent)


def _needs_length() -> HttpVersionError:
    return HttpVersionError("Ask again with HTTP/1.1: the answer is sent as it is made.")


def _is_event_stream(headers: Sequence[Header]) -> bool:
    return (header(headers, b"content-type") or b"").startswith(b"text/event-stream")
