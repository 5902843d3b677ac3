"""Which header fields pass the gateway, in which direction, and which it sets itself."""

import os
import re
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Final

Header = tuple[bytes, bytes]

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Meant for the next hop only (RFC 9110 section 7.6.1)."""

OURS: Final = HOP_BY_HOP | {
    b"baggage",
    b"content-length",
    b"expect",
    b"forwarded",
    b"host",
    b"traceparent",
    b"tracestate",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-real-ip",
    b"x-request-id",
}
"""Of a request: what the gateway says itself, so that no caller can."""
_CREDENTIALS: Final = OURS | {b"authorization", b"cookie", b"x-api-key"}
"""A service that gets a principal gets no token that could be used elsewhere."""
_THEIRS: Final = HOP_BY_HOP | {b"date", b"server", b"x-request-id", b"ratelimit", b"ratelimit-policy"}
"""Of a response: what the gateway says itself."""
RESERVED_PREFIX: Final = b"flotilla"
"""`flotilla-principal` and its kind; with an underscore too, which some frameworks read as a hyphen."""

VIA: Final = b"1.1 flotilla"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,128}").fullmatch
_PROCESS: Final = os.urandom(10).hex().encode()
_COUNTER: Final = count()
NONE: Final[frozenset[bytes]] = frozenset()


def request_head(
    method: bytes,
    target: bytes,
    authority: bytes,
    received: Iterable[Header],
    added: Iterable[Header],
    *,
    nominated: frozenset[bytes],
    with_credentials: bool,
) -> bytes:
    """The head of the request to a service, up to and with the empty line; `nominated` by `Connection`."""
    ours = OURS if with_credentials else _CREDENTIALS
    lines = [method, b" ", target, b" HTTP/1.1\r\nhost: ", authority, b"\r\n"]
    for name, value in received:
        if b"_" in name and name.replace(b"_", b"-") in ours:
            continue  # Some frameworks read it as the hyphen that stands in a name of ours.
        if name not in ours and name[:8] != RESERVED_PREFIX and name not in nominated:
            lines += (name, b": ", value, b"\r\n")
    lines += [b"%b: %b\r\n" % field for field in added]
    lines.append(b"\r\n")
    return b"".join(lines)


def response_headers(received: Iterable[Header], added: Sequence[Header], *, bodiless: bool) -> list[Header]:
    """The header fields of the caller's response. `bodiless`: 204 and 304, whose length is not one to send."""
    nominated = connection_options(received)
    passed = [
        field
        for field in received
        if field[0] not in _THEIRS
        and field[0] not in nominated
        and field[0][:8] != RESERVED_PREFIX
        and not (bodiless and field[0] == b"content-length")
    ]
    passed.extend(added)
    return passed


def connection_options(received: Iterable[Header]) -> frozenset[bytes]:
    """Names that `Connection` makes hop-by-hop."""
    for name, value in received:
        if name == b"connection" and value not in (b"keep-alive", b"close", b"Keep-Alive"):
            return _all_options(received)
    return NONE


def _all_options(received: Iterable[Header]) -> frozenset[bytes]:
    values = (value for name, value in received if name == b"connection")
    return frozenset(option.strip().lower() for value in values for option in value.split(b","))


def header(received: Iterable[Header], wanted: bytes) -> bytes | None:
    """The first field of that name."""
    for name, value in received:
        if name == wanted:
            return value
    return None


def fresh_request_id() -> bytes:
    """One that no other process and no other request has."""
    return _PROCESS + b"%012x" % next(_COUNTER)


def usable_request_id(given: bytes | None) -> bytes:
    """The caller's request id where it is one that logs and pages can show as it is; else a fresh one."""
    return given if given is not None and _REQUEST_ID(given) else fresh_request_id()
