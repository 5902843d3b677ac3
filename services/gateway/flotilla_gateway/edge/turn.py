"""One request of a connection and its response, in hand or waiting for its turn: uvicorn's cycle, made cheaply.

What uvicorn does for any application and few requests need (an event, an access log, a copy of the application's state)
is left out: it cost as much as forwarding does.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from flotilla_gateway.forward.headers import Header

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


class Turn(RequestResponseCycle):
    """A request in hand. `send` and the end of the ASGI application are uvicorn's."""

    scope: MutableMapping[str, Any]  # type: ignore[assignment]
    logger = access_logger = _LOG
    access_log = disconnected = response_started = response_complete = False
    is_last = False
    """Told so; the connection closes behind it, once the caller has heard it all."""
    more_body = True
    chunked_encoding = None
    expected_content_length = _waiting = 0
    message_event: Signal  # type: ignore[assignment]

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        transport: asyncio.Transport,
        flow: FlowControl,
        default_headers: list[tuple[bytes, bytes]],
        *,
        expects_continue: bool,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:
        self.scope = scope
        self.transport = transport
        self.flow = flow
        self.default_headers = default_headers
        self.message_event = Signal()
        self.on_response = on_response
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects_continue
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> int:
        """A part of the body came; the bytes that wait to be taken."""
        self._parts.append(part)
        self._waiting += len(part)
        self.message_event.set()
        return self._waiting

    def end_of_body(self) -> None:
        """The request is here as a whole."""
        if not self.response_complete:
            self.more_body = False
            self.message_event.set()

    @property
    def body_here(self) -> bytes | None:
        """All of the request's body; None where more of it comes, or the caller waits to be asked for it."""
        if self.more_body:
            return None
        parts = self._parts
        return b"".join(parts) if parts else b""

    def respond(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """Write a whole response at once, which spares a system call against uvicorn's two messages.

        `headers` say the length; of a 204, 304 or an answer to HEAD, `body` is empty.
        """
        if self.disconnected:
            return
        content = [STATUS_LINE[status]]
        content += [b"%b: %b\r\n" % field for field in self.default_headers]
        content += [b"%b: %b\r\n" % field for field in headers]
        if not self.keep_alive:
            content.append(b"connection: close\r\n")
            self.end_connection()
        content += (b"\r\n", body)
        self.transport.write(b"".join(content))
        self.waiting_for_100_continue = False
        self.response_started = self.response_complete = True
        self.message_event.set()
        self.on_response()

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
        if self.waiting_for_100_continue and not self.transport.is_closing():
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
