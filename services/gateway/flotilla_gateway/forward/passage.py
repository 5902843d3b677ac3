"""What is passed on, between whom, and how it ended."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flotilla_gateway.forward.headers import Header

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

CALLER_GONE: Final = 499
"""Logged, never sent: the caller left before it was answered."""


class Client(Protocol):
    """The caller's connection (`edge.protocol.EdgeProtocol`)."""

    @property
    def gone(self) -> bool: ...
    @property
    def keeps_up(self) -> bool: ...
    def watch(self, when_gone: Callable[[], None] | None) -> None: ...
    def end_when_draining(self, end: Callable[[], None] | None) -> None: ...
    def abort(self) -> None: ...
    def cut(self) -> None: ...
    def respond(self, status: int, lines: bytes, body: bytes) -> None: ...


@dataclass(slots=True)
class Passage:
    """One request, as the service is asked, and its caller."""

    client: Client
    receive: Receive
    send: Send
    method: str
    """A HEAD for a path that only knows GET is asked as GET."""
    target: bytes
    received: Sequence[Header]
    fields: Mapping[bytes, bytes]
    """The same, by name."""
    added: bytes
    """Lines of the gateway's own in the request's head."""
    with_credentials: bool
    body_limit: int
    head_only: bool
    """The caller wants no body (HEAD)."""
    http10: bool
    again: bool = False
    """It was sent before, on a kept connection that the service had left: now on a new one, and not a third time."""


@dataclass(slots=True)
class Outcome:
    """How it ended, for the log."""

    status: int
    sent: int
    """Bytes of the response's body."""
