"""What one caller's connection may take, and the clock that says when it has taken too long."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from flotilla_gateway.forward.headers import Header
from flotilla_gateway.problems import HeadersTooLargeError

NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Sizes in bytes, times in seconds."""

    head_bytes: int = 32 * 1024
    fields: int = 100
    head_seconds: float = 10.0
    """From the first byte of a request (or from the connection) to the end of its head."""
    body_seconds: float = 60.0
    """For a whole body, not counting while the gateway itself does not read."""
    stall_seconds: float = 60.0
    """How long a caller may take none of its response."""
    idle_seconds: float = 75.0
    """How long a connection is kept for the next request."""
    linger_seconds: float = 2.0
    """How long a caller that was refused may go on sending before the connection is cut."""
    linger_bytes: int = 1024 * 1024
    """And how much."""
    discarded_bytes: int = 8 * 1024 * 1024
    """How much of a body that was answered early is read and thrown away before the connection is cut."""
    connections: int = 16_000
    """Callers at once in this process, below the descriptors it may have."""
    connections_of_one: int = 1_000
    """From one address, WebSockets too: who opens and keeps as many as it can leaves the others theirs."""


def head_size(target: bytes, headers: Iterable[Header]) -> int:
    """About as many bytes as it had."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers)


def head_too_large(limits: EdgeLimits) -> HeadersTooLargeError:
    """What is said of a head that is."""
    return HeadersTooLargeError(
        f"A request's head may have {limits.head_bytes} bytes and {limits.fields} fields."
    )


class Late(Enum):
    """What takes too long."""

    HEAD = auto()
    BODY = auto()
    READER = auto()
    """The caller reads nothing of its response."""
    IDLE = auto()
    """The next request."""


class Patience:
    """The deadlines of one connection; times are the loop's. What comes as a whole never has one of its own."""

    __slots__ = ("_body_until", "_head_until", "_idle_until", "_limits", "_stalled_since", "_unsent")

    def __init__(self, limits: EdgeLimits, now: float) -> None:
        self._limits = limits
        self._head_until = now + limits.head_seconds
        self._body_until = NEVER
        self._idle_until = NEVER
        self._unsent = 0
        self._stalled_since = now

    def head_is_due(self, now: float) -> None:
        """A request's head has begun, and more of it must come."""
        self._head_until = min(self._head_until, now + self._limits.head_seconds)
        self._idle_until = NEVER

    def head_ends(self) -> None:
        """Its head is complete; a body may follow."""
        self._head_until = self._idle_until = NEVER

    def body_is_due(self, now: float) -> None:
        """More of its body must come."""
        if self._body_until == NEVER:
            self._body_until = now + self._limits.body_seconds

    def body_ends(self) -> None:
        """The whole request is here; the connection may idle."""
        self._body_until = NEVER

    def idles(self, now: float) -> None:
        """Everything is answered."""
        self._idle_until = now + self._limits.idle_seconds

    def late(self, now: float, *, reading: bool, unsent: int) -> Late | None:
        """What is late, if anything; `reading`: the gateway takes what comes, `unsent`: bytes not taken from it."""
        if now > self._head_until:
            return Late.HEAD
        if now > self._body_until:
            if reading:
                return Late.BODY
            self._body_until = now + self._limits.body_seconds / 4  # The wait was ours, not the caller's.
        if not unsent or unsent != self._unsent:
            self._unsent, self._stalled_since = unsent, now
        elif now - self._stalled_since > self._limits.stall_seconds:
            return Late.READER
        return Late.IDLE if now > self._idle_until else None
