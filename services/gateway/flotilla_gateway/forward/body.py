"""The body of a request: whole in the first write where it is here already, else streamed."""

from collections.abc import Mapping
from dataclasses import dataclass

from flotilla_gateway.forward.connection import Connection
from flotilla_gateway.forward.errors import BodyTooLargeError, CallerGoneError
from flotilla_gateway.forward.passage import Passage

WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(slots=True)
class Body:
    """What goes out with the head, and how the rest is framed."""

    first: bytes
    more: bool
    framing: bytes
    """The line of the head that says so."""
    size: int = 0
    """Bytes of the body in `first`."""
    chunked: bool = False


def framing(method: str, fields: Mapping[bytes, bytes], body: bytes) -> bytes:
    """The line that frames a body which is here as a whole, however it came; none where there is none to be framed."""
    if body or method in WITH_BODY or b"content-length" in fields or b"transfer-encoding" in fields:
        return b"content-length: %d\r\n" % len(body)
    return b""


def without(passage: Passage) -> Body | None:
    """That of a request which has none; None where it has one that must be waited for."""
    fields = passage.fields
    length = fields.get(b"content-length")
    if (length is not None and int(length)) or b"transfer-encoding" in fields:
        return None
    return Body(b"", more=False, framing=framing(passage.method, fields, b""))


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
        return Body(first, more=False, framing=framing(passage.method, passage.fields, first))
    if length is not None:
        return Body(first, more=True, framing=b"content-length: %b\r\n" % length, size=len(first))
    chunked = b"transfer-encoding: chunked\r\n"
    return Body(_chunk(first), more=True, framing=chunked, size=len(first), chunked=True)


async def pump(connection: Connection, body: Body, passage: Passage) -> bool:
    """The rest of the body, as fast as the service takes it; whether all of it was sent."""
    total, more = body.size, True
    while more:
        await connection.drain()
        connection.hold(passage.client.cut)
        message = await passage.receive()
        connection.go_on()
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
