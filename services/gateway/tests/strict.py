"""RFC 9112 as it is written, for one message at a time: what bytes mean, said by somebody who is not the gateway.

Where the RFC lets a recipient be lenient (a bare LF, a folded line, a length said twice alike), this is not.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
TARGET = re.compile(rb"[\x21-\x7e]+")
LENGTH = re.compile(rb"[0-9]{1,18}")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
LINE = re.compile(rb"([A-Z]{1,20}) ([^ ]+) +HTTP/(1\.[01])")
"""Section 3 lets words be told apart by more than one space; what is passed on has one."""
STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2}) [\t\x20-\x7e\x80-\xff]*")


class MalformedError(Exception):
    """These bytes mean nothing."""


@dataclass(frozen=True)
class Message:
    """A request or a response, whole."""

    start: tuple[str, ...]
    """Method, target, version; or the status."""
    headers: list[tuple[str, str]]
    body: bytes
    used: int
    """Bytes that it took."""
    closes: bool = False
    """No other follows on this connection."""

    def all(self, name: str) -> list[str]:
        """All fields of that name."""
        return [value for key, value in self.headers if key == name]


def request(data: bytes) -> Message | None:
    """The first request of these bytes; None where it is not all there."""
    head = _head(data)
    if head is None:
        return None
    line, headers, at = head
    found = LINE.fullmatch(line)
    if not found or not TARGET.fullmatch(found[2]):
        raise MalformedError(line)
    method, target, version = (part.decode("ascii") for part in found.groups())
    hosts = [value for name, value in headers if name == "host"]
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        raise MalformedError("one Host")
    framed = _body(data, at, headers, no_body_without=True)
    closes = version == "1.0" or any(
        "close" in value.lower() for name, value in headers if name == "connection"
    )
    if framed is None:
        return None
    return Message((method, target, version), headers, framed[0], framed[1], closes)


def response(data: bytes, *, ended: bool) -> Message | None:
    """The final response that these bytes are to a GET; None where it is not all there. `ended`: nothing follows."""
    head = _head(data)
    if head is None:
        return None
    line, headers, at = head
    found = STATUS.fullmatch(line)
    if not found:
        raise MalformedError(line)
    status = found[1].decode()
    if status[0] == "1":
        return response(data[at:], ended=ended)
    if status in ("204", "304"):
        return Message((status,), headers, b"", at)
    said = {name for name, _ in headers}
    if not said & {"content-length", "transfer-encoding"}:
        return Message((status,), headers, data[at:], len(data), closes=True) if ended else None
    framed = _body(data, at, headers, no_body_without=False)
    return None if framed is None else Message((status,), headers, *framed)


def _head(data: bytes) -> tuple[bytes, list[tuple[str, str]], int] | None:
    end = data.find(b"\r\n\r\n")
    lines = data[: end if end >= 0 else len(data)].split(b"\r\n")
    for line in lines if end >= 0 else lines[:-1]:
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise MalformedError("a line ends with CRLF")
    if end < 0:
        return None
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name) or not VALUE.fullmatch(value):
            raise MalformedError(line)
        headers.append((name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")))
    return lines[0], headers, end + 4


def _body(
    data: bytes, at: int, headers: list[tuple[str, str]], *, no_body_without: bool
) -> tuple[bytes, int] | None:
    lengths = [value for name, value in headers if name == "content-length"]
    codings = [value for name, value in headers if name == "transfer-encoding"]
    if codings:
        if lengths or [coding.lower() for coding in codings] != ["chunked"]:
            raise MalformedError("framing")
        return _chunks(data, at)
    if len(lengths) > 1 or (lengths and not LENGTH.fullmatch(lengths[0].encode("latin-1"))):
        raise MalformedError("length")
    size = int(lengths[0]) if lengths else 0
    return (data[at : at + size], at + size) if len(data) >= at + size else None


def _chunks(data: bytes, at: int) -> tuple[bytes, int] | None:
    body = b""
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        found = CHUNK.fullmatch(data[at:end])
        if not found:
            raise MalformedError("chunk")
        size, at = int(found[1], 16), end + 2
        if not size:
            break
        if len(data) < at + size + 2:
            return None
        body += data[at : at + size]
        at += size + 2
        if data[at - 2 : at] != b"\r\n":
            raise MalformedError("chunk")
    trailer = _head(b"x\r\n" + data[at:]) if data[at : at + 2] != b"\r\n" else (b"", [], 5)
    return None if trailer is None else (body, at + trailer[2] - 3)
