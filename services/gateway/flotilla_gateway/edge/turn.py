"""One request of a connection and its response, in hand or waiting for its turn: uvicorn's cycle, made cheaply.

What uvicorn does for any application and few requests need (an event, an access log, a copy of the application's state)
is left out: it cost as much as forwarding does.
"""

import asyncio
import logging
from collections.abc import MutableMapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from flotilla_gateway.forward.headers import Header, lines

if TYPE_CHECKING:
    from flotilla_gateway.edge.protocol import EdgeProtocol

TURN: Final = "flotilla.turn"
"""The key of the scope under which the request in hand stands."""
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_LOG: Final = logging.getLogger("uvicorn.error")


class Signal:
    """An event with at most one task that waits for it."""

    __slots__ = ("_is_set", "_waiter")

    def __init__(self) -> None:
        self._is_set = False
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        """Whoever waits goes on."""
        self._is_set = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def clear(self) -> None:
        """The next has to wait."""
        self._is_set = False

    async def wait(self) -> None:
        """Until it is set."""
        if not self._is_set:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None


class OwnLines:
    """What the server says in every response, the date among it: written anew once it changes, each second."""

    def __init__(self) -> None:
        self._fields: list[Header] = []
        self._written = b""

    def of(self, fields: list[Header]) -> bytes:
        """These fields on the wire. uvicorn replaces the list, and never changes it."""
        if fields is not self._fields:
            self._fields, self._written = fields, lines(fields)
        return self._written


class Turn(RequestResponseCycle):
    """A request in hand. `send` and the end of the ASGI application are uvicorn's."""

    logger = access_logger = _LOG
    access_log = False

    # What few requests change is the class' until then.
    is_last = False
    """Told so; the connection closes behind it, once the caller has heard it all."""
    chunked_encoding = None
    expected_content_length = 0
    _waiting = 0
    _news: Signal | None = None

    __slots__ = (
        "_parts",
        "client",
        "disconnected",
        "fields",
        "headers",
        "keep_alive",
        "method",
        "more_body",
        "path",
        "query",
        "response_complete",
        "response_started",
        "version",
        "waiting_for_100_continue",
    )

    def __init__(
        self,
        client: "EdgeProtocol",
        method: str,
        version: str,
        path: bytes,
        query: bytes,
        headers: list[Header],
        fields: dict[bytes, bytes],
        keep_alive: bool,
        expects_continue: bool,
    ) -> None:
        """`fields`: the headers by name, the last of each."""
        self.client = client
        self.method = method
        self.version = version
        self.path = path
        self.query = query
        self.headers = headers
        self.fields = fields
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects_continue
        self.more_body = True
        self.disconnected = self.response_started = self.response_complete = False
        self._parts: list[bytes] = []

    # As ASGI and uvicorn have it: made for those that ask, which the short way does not.

    @cached_property
    def scope(self) -> MutableMapping[str, Any]:  # type: ignore[override]
        """The request."""
        client = self.client
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": self.version,
            "method": self.method,
            "scheme": client.scheme,
            "root_path": "",
            "raw_path": self.path,
            "query_string": self.query,
            "headers": self.headers,
            "client": client.client,
            "server": client.server,
            TURN: self,
        }

    @cached_property
    def message_event(self) -> Signal:  # type: ignore[override]
        """Set where there is something to receive."""
        self._news = news = Signal()
        if self._parts or not self.more_body or self.response_complete or self.disconnected:
            news.set()
        return news

    @property
    def transport(self) -> asyncio.Transport:  # type: ignore[override]
        """The caller's connection."""
        return self.client.transport

    @property
    def flow(self) -> FlowControl:  # type: ignore[override]
        """Its other half."""
        return self.client.flow

    @property
    def default_headers(self) -> list[Header]:  # type: ignore[override]
        """Of every response."""
        return self.client.server_state.default_headers

    def on_response(self) -> None:
        """The response is complete."""
        self.client.on_response_complete()

    def add(self, part: bytes) -> int:
        """A part of the body came; the bytes that wait to be taken."""
        self._parts.append(part)
        self._waiting += len(part)
        self._tell()
        return self._waiting

    def end_of_body(self) -> None:
        """The request is here as a whole."""
        if not self.response_complete:
            self.more_body = False
            if self._news is not None:
                self._news.set()

    def give_up(self) -> None:
        """Nothing that is still sent can arrive."""
        self.disconnected = True
        self._tell()

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()

    @property
    def body_here(self) -> bytes | None:
        """All of the request's body; None where more of it comes, or the caller waits to be asked for it."""
        if self.more_body:
            return None
        parts = self._parts
        return b"".join(parts) if parts else b""

    def respond(self, status: int, lines: bytes, body: bytes) -> None:
        """Write a whole response at once, which spares a system call against uvicorn's two messages.

        `lines` of the head say the length; of a 204, 304 or an answer to HEAD, `body` is empty.
        """
        if self.disconnected:
            return
        client = self.client
        if not self.keep_alive:
            lines += b"connection: close\r\n"
            self.end_connection()
        own = client.shared.own_lines.of(client.server_state.default_headers)
        client.transport.write(b"".join((STATUS_LINE[status], own, lines, b"\r\n", body)))
        self.waiting_for_100_continue = False
        self.response_started = self.response_complete = True
        if self._news is not None:
            self._news.set()
        client.on_response_complete()

    async def send(self, message: Any) -> None:
        """A part of the response."""
        await super().send(message)
        if not self.keep_alive and not self.response_complete:
            self.end_connection()

    def end_connection(self) -> None:
        """`Connection: close` is written: whoever has the connection closes it, which uvicorn would do too soon."""
        self.is_last = self.keep_alive = True

    async def receive(self) -> Any:
        """The next of the body, as ASGI has it."""
        if self.waiting_for_100_continue and not self.disconnected and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            if self.more_body:
                self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        parts, self._parts, self._waiting = self._parts, [], 0
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        return {"type": "http.request", "body": body, "more_body": self.more_body}
