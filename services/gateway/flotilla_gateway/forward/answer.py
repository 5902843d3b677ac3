"""The response on its way back: in one write where it is here already, else part by part."""

from collections.abc import Callable
from typing import Final

from flotilla_gateway.forward.connection import NEVER, Connection
from flotilla_gateway.forward.errors import (
    BadAnswerError,
    BodyTooLargeError,
    CallerGoneError,
    ClosedEarlyError,
    TimedOutError,
)
from flotilla_gateway.forward.headers import fields_of, header, response_lines
from flotilla_gateway.forward.passage import CALLER_GONE, Outcome, Passage
from flotilla_gateway.forward.upstream import Upstream
from flotilla_gateway.problems import BadGatewayError, HttpVersionError

BODILESS: Final = (204, 304)
Added = Callable[[Connection], bytes]
"""The lines that the gateway adds to a response's head."""


def whole(connection: Connection, passage: Passage, added: Added) -> Outcome:
    """Send the caller a response that is here as a whole."""
    status = connection.status
    if passage.http10 and not connection.length_said and status not in BODILESS:
        raise _needs_length()
    lines, body = taken(connection, added(connection))
    if passage.head_only:
        body = b""
    passage.client.respond(status, lines, body)
    return Outcome(status, len(body))


def taken(connection: Connection, added: bytes) -> tuple[bytes, bytes]:
    """The head's lines for the caller, and the body, of a response that is here as a whole."""
    body = connection.take()
    bodiless = connection.status in BODILESS
    if not bodiless and not connection.length_said:
        added += b"content-length: %d\r\n" % len(body)
    return response_lines(connection.headers, connection.fields, added, bodiless=bodiless), body


async def in_parts(upstream: Upstream, connection: Connection, passage: Passage, added: Added) -> Outcome:
    """Send the caller a response whose head has come, part by part."""
    status, send = connection.status, passage.send
    bodiless = status in BODILESS
    if passage.http10 and not bodiless and not connection.length_said:
        raise _needs_length()
    lines = response_lines(connection.headers, connection.fields, added(connection), bodiless=bodiless)
    if (header(connection.headers, b"content-type") or b"").startswith(b"text/event-stream"):
        upstream.set_apart(connection)
        passage.client.end_when_draining(connection.cut)
    await send({"type": "http.response.start", "status": status, "headers": fields_of(lines)})
    sent = 0
    try:
        while True:
            part = b"" if passage.head_only else connection.take()
            complete = connection.complete or passage.head_only
            connection.deadline = NEVER  # The caller's slowness is no fault of the service.
            sent += len(part)
            if part or complete:
                connection.hold(passage.client.cut)
                await send({"type": "http.response.body", "body": part, "more_body": not complete})
                connection.go_on()
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
