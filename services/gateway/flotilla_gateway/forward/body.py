"""The body of a request: whole in the first write where it is here already, else streamed."""

from dataclasses import dataclass

from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.forward.errors import BodyTooLargeError, CallerGoneError
from flotilla_gateway.forward.headers import Header
from flotilla_gateway.forward.passage import Passage

WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(slots=True)
class Body:
    """What goes out with the head, and how the rest is framed."""

    first: bytes
    more: bool
    framing: list[Header]
    size: int = 0
    """Bytes of the body in `first`."""
    chunked: bool = False


NOTHING = Body(b"", more=False, framing=[])
EMPTY = Body(b"", more=False, framing=[(b"content-length", b"0")])


def without(passage: Passage) -> Body | None:
    """That of a request which has none; None where it has one that must be waited for."""
    fields = passage.fields
    length = fields.get(b"content-length")
    if (length is not None and int(length)) or b"transfer-encoding" in fields:
        return None
    return EMPTY if length is not None or passage.method in WITH_BODY else NOTHING


def whole_body(passage: Passage, body: bytes) -> Body:
    """That of a request which is here as a whole, however it was framed."""
    if not body and b"transfer-encoding" not in passage.fields:
        return without(passage) or EMPTY
    return Body(body, more=False, framing=[(b"content-length", b"%d" % len(body))])


async def first_part(passage: Passage) -> Body:
    """The body, or its beginning where it does not come at once. Until then the caller got no 100 (Continue)."""
    length = passage.fields.get(b"content-length")
    if length is not None and int(length) > passage.body_limit:
        raise BodyTooLargeError
    message = await passage.receive()
    if message["type"] == "http.disconnect":
        raise CallerGoneError
    first: bytes = message["body"]
    if len(first) > passage.body_limit:
        raise BodyTooLargeError
    if not message["more_body"]:
        return whole_body(passage, first)
    if length is not None:
        return Body(first, more=True, framing=[(b"content-length", length)], size=len(first))
    framing = [(b"transfer-encoding", b"chunked")]
    return Body(_chunk(first), more=True, framing=framing, size=len(first), chunked=True)


async def pump(connection: Connection, body: Body, passage: Passage) -> bool:
    """The rest of the body, as fast as the service takes it; whether all of it was sent."""
    total, more = body.size, True
    while more:
        await connection.drain()
        message = await passage.receive()
        if message["type"] == "http.disconnect":
            connection.abort(CallerGoneError())
            return False
        part: bytes = message["body"]
        more = message["more_body"]
        total += len(part)
        if total > passage.body_limit:
            connection.abort(BodyTooLargeError())
            return False
        if connection.complete or connection.transport.is_closing():
            return False
        if part:
            connection.write(_chunk(part) if body.chunked else part)
    if body.chunked:
        connection.write(b"0\r\n\r\n")
    return True


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part) if part else b""
