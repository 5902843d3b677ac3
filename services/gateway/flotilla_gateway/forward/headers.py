"""Which header fields pass the gateway, in which direction, and which it sets itself."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
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
_LENGTH: Final = frozenset({b"content-length"})
_NO_NAMES: Final = (b"keep-alive", b"close", b"Keep-Alive")
"""What `Connection` says mostly."""
MOST_NAMES: Final = 1024
LONGEST_NAME: Final = 64
"""Of the names of fields that are remembered: callers may make up as many as they like."""


class Passing(dict[bytes, bool]):
    """Whether fields of a name are passed on. Names are few: what was worked out of one is remembered."""

    def __init__(self, ours: frozenset[bytes], *, spelled_alike: bool) -> None:
        """`ours` are not; `spelled_alike`: nor what some frameworks read as one of ours, with an underscore for the
        hyphen."""
        super().__init__()
        self._ours = ours
        self._spelled_alike = spelled_alike

    def __missing__(self, name: bytes) -> bool:
        spelled = name.replace(b"_", b"-") if self._spelled_alike else name
        passes = name not in self._ours and spelled not in self._ours and name[:8] != RESERVED_PREFIX
        if len(name) <= LONGEST_NAME:
            if len(self) >= MOST_NAMES:
                self.clear()
            self[name] = passes
        return passes


_TO_ANYBODY: Final = Passing(OURS, spelled_alike=True)
_WITHOUT_CREDENTIALS: Final = Passing(_CREDENTIALS, spelled_alike=True)
_BACK: Final = Passing(_THEIRS, spelled_alike=False)


class Said:
    """What the last request of a connection said in its header fields, and what of that is passed on. The next mostly
    says the same, and it is not gone through again."""

    __slots__ = ("_passed", "_received", "_with_credentials")

    def __init__(self) -> None:
        self._received: tuple[Header, ...] = ()
        self._with_credentials = False
        self._passed = b""

    def passed(
        self, received: Sequence[Header], fields: Mapping[bytes, bytes], *, with_credentials: bool
    ) -> bytes:
        """`passed_lines` of this request."""
        said = tuple(received)
        if said != self._received or with_credentials is not self._with_credentials:
            self._passed = passed_lines(received, fields, with_credentials=with_credentials)
            self._received, self._with_credentials = said, with_credentials
        return self._passed


def passed_lines(
    received: Sequence[Header], fields: Mapping[bytes, bytes], *, with_credentials: bool
) -> bytes:
    """The header fields of a request that are passed on, as lines; `fields`: those received, by name."""
    nominated = connection_options(received, fields)
    passing = _TO_ANYBODY if with_credentials else _WITHOUT_CREDENTIALS
    content: list[bytes] = []
    for name, value in received:
        if passing[name] and name not in nominated:
            content += (name, b": ", value, b"\r\n")
    return b"".join(content)


def request_head(method: bytes, target: bytes, authority: bytes, passed: bytes, added: bytes) -> bytes:
    """The head of the request to a service, up to and with the empty line.

    `passed`: `passed_lines` of the caller's; `added`: lines of the gateway's own.
    """
    return b"".join(
        (method, b" ", target, b" HTTP/1.1\r\nhost: ", authority, b"\r\n", passed, added, b"\r\n")
    )


def response_lines(
    received: Sequence[Header], fields: Mapping[bytes, bytes], added: bytes, *, bodiless: bool
) -> bytes:
    """The header fields of the caller's response. `bodiless`: 204 and 304, whose length is not one to send."""
    nominated = connection_options(received, fields)
    if bodiless:
        nominated |= _LENGTH
    content: list[bytes] = []
    for name, value in received:
        if _BACK[name] and name not in nominated:
            content += (name, b": ", value, b"\r\n")
    content.append(added)
    return b"".join(content)


def lines(fields: Iterable[Header]) -> bytes:
    """Header fields as they stand on the wire, each with the end of its line."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def fields_of(written: bytes) -> list[Header]:
    """The other way round, of lines that the gateway wrote."""
    pairs = [line.partition(b": ") for line in written.split(b"\r\n")[:-1]]
    return [(name, value) for name, _, value in pairs]


def connection_options(received: Sequence[Header], fields: Mapping[bytes, bytes]) -> frozenset[bytes]:
    """Names that `Connection` makes hop-by-hop; `fields`: those received, by name, and perhaps some that were
    taken out of `received`: how many each has says nothing about the other."""
    if b"connection" not in fields:
        return NONE
    values = [value for name, value in received if name == b"connection"]
    if len(values) == 1 and values[0] in _NO_NAMES:
        return NONE
    return frozenset(option.strip().lower() for value in values for option in value.split(b","))


def header(received: Iterable[Header], wanted: bytes) -> bytes | None:
    """The first field of that name."""
    for name, value in received:
        if name == wanted:
            return value
    return None


def usable_request_id(given: bytes | None) -> bytes:
    """The caller's request id where it is one that logs and pages can show as it is; else one that no other process
    and no other request has."""
    return (
        given
        if given is not None and _REQUEST_ID(given)
        else _PROCESS + next(_COUNTER).to_bytes(6, "big").hex().encode()
    )
