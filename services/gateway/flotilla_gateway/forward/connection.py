"""One connection to a service: writes a request, parses its response with httptools, one exchange at a time.

Backpressure goes both ways: the socket is not read while `HIGH_WATER` bytes of a response wait to be taken,
and `drain` waits while the socket takes no more of the request.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, cast

import httptools

from flotilla_gateway.forward.errors import BadAnswerError, CallerGoneError, ClosedEarlyError, ExchangeError
from flotilla_gateway.outgoing import GatheredTransport, Outgoing

HIGH_WATER: Final = 64 * 1024
NEVER: Final = float("inf")
SWITCHING: Final = 101

Header = tuple[bytes, bytes]
Listener = Callable[[ExchangeError | None], None]
"""Hears why the exchange ended early. It must not raise."""


class Connection(asyncio.Protocol):
    """The protocol of one kept-alive connection; `Upstream` owns it while it idles."""

    __slots__ = (
        "_active",
        "_bodiless",
        "_buffered",
        "_chunks",
        "_drained",
        "_error",
        "_excess",
        "_loop",
        "_on_lost",
        "_outgoing",
        "_parser",
        "_sized",
        "_touched",
        "_waiter",
        "_write_paused",
        "complete",
        "deadline",
        "exchanges",
        "fields",
        "give_way",
        "headed",
        "headers",
        "held_since",
        "idle_since",
        "leftover",
        "length_said",
        "listener",
        "reusable",
        "status",
        "transport",
    )
    transport: GatheredTransport

    def __init__(
        self, loop: asyncio.AbstractEventLoop, outgoing: Outgoing, on_lost: "Callable[[Connection], None]"
    ) -> None:
        self._loop = loop
        self._outgoing = outgoing
        self._on_lost = on_lost
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._write_paused = False
        self._active = False
        self._bodiless = False
        self.headers: list[Header] = []
        """Of the answer, as they come."""
        self.fields: dict[bytes, bytes] = {}
        """The same by name, once all of them are here."""
        self.reusable = False
        """Whether another exchange may follow on it."""
        self.listener: Listener | None = None
        """Who is told that more of the answer came, or its end; None: an exchange that awaits it."""
        self.exchanges = 0
        self.idle_since = 0.0
        self.deadline = NEVER
        """Loop time at which the exchange in hand is given up."""
        self.held_since = NEVER
        """Loop time since when the exchange in hand waits for its caller alone."""
        self.give_way: Callable[[], None] | None = None
        """Ends it then, for another."""

    # What an exchange does

    def hold(self, give_way: Callable[[], None]) -> None:
        """The caller is waited for from now on: to send more, or to take what there is."""
        self.held_since, self.give_way = self._loop.time(), give_way

    def go_on(self) -> None:
        """The caller did."""
        self.held_since = NEVER

    def begin(self, request: bytes, *, bodiless: bool) -> None:
        """Write a request's head, with its body where that is complete; `bodiless`: the answer to a HEAD."""
        if not self.reusable or self._bodiless:
            # Else the parser stands where it stood before the first answer, behind a whole one.
            self._parser = httptools.HttpResponseParser(self)
        self._bodiless = bodiless
        self._touched = False
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._sized = False
        self.length_said = False
        self._excess = False
        self._error: ExchangeError | None = None
        self.status = 0
        self.headed = False
        self.complete = False
        self.reusable = False
        self.leftover = b""
        self.exchanges += 1
        self._active = True
        self.transport.write(request)

    def write(self, data: bytes) -> None:
        """Send a part of the request's body."""
        self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the socket takes more."""
        if self._write_paused and self._error is None:
            self._drained = self._loop.create_future()
            await self._drained

    def head(self) -> Awaitable[None]:
        """Wait for the final status and its header fields."""
        return self._wait(done=self.headed)

    def more(self) -> Awaitable[None]:
        """Wait for more of the body, or its end."""
        return self._wait(done=bool(self._chunks) or self.complete)

    def take(self) -> bytes:
        """What of the body has come since."""
        chunks = self._chunks
        if not chunks:
            return b""
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        if self._buffered > HIGH_WATER and not self.transport.is_closing():
            self.transport.resume_reading()
        self._buffered = 0
        return body

    def abort(self, reason: ExchangeError) -> None:
        """End the exchange in hand for that reason and close the connection."""
        self._fail(reason)
        self.transport.abort()

    def leave(self) -> None:
        """The caller has left: nobody waits for the answer."""
        self.abort(CallerGoneError())

    def cut(self) -> None:
        """Let the response end here, as if it were complete: a stream has no other end."""
        if self._active and self.headed and not self.complete:
            self.complete, self.reusable = True, False
            self._wake()

    def detach(self) -> asyncio.Transport:
        """After a 101: the bare transport, no longer an HTTP connection's; `leftover` came behind the head."""
        self._active = False
        return self.transport.plain()

    def end(self) -> None:
        """The exchange is over; nothing further is expected on this connection for now."""
        self._active = False
        self.listener = self.give_way = None
        self.deadline = self.held_since = NEVER

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclass of it.
        self.transport = GatheredTransport(cast(asyncio.Transport, transport), self._outgoing)

    def data_received(self, data: bytes) -> None:
        if not self._active or self.complete:
            self.transport.abort()  # Nobody asked: whatever it is, the next answer must not begin with it.
            return
        if self.status == SWITCHING:
            self.leftover += data
            return
        self._touched = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.leftover = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self.abort(BadAnswerError(str(error)))
            return
        if self._excess:
            self.reusable = False
        if self._buffered > HIGH_WATER and not self.complete:
            self.transport.pause_reading()
        if self.headed:
            self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if self._active and self.headed and not self._sized and error is None:
            self.complete = (
                True  # A body without a length ends where the connection does (RFC 9112 section 6.3).
            )
            self._wake()
        elif self._active and not self.complete:
            self._fail(ClosedEarlyError(untouched=not self._touched))
        self._release_writers()
        self._on_lost(self)

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._release_writers()

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self.complete:
            self._excess = True  # A second answer to one question: this connection is not used again.
        else:
            self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.headed:  # Else a trailer field: not merged into the head (RFC 9110 section 6.5.1).
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._excess:
            return
        if status < 200 and status != SWITCHING:
            return  # Interim responses end here: the gateway gave its own 100, and 103 is only a hint.
        self.status = status
        self.headed = True
        self.reusable = self._parser.should_keep_alive()
        fields = self.fields = dict(self.headers)
        self.length_said = b"content-length" in fields
        self._sized = self.length_said or b"transfer-encoding" in fields or status in (204, 304)
        if self._bodiless:
            self.complete = True

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self._chunks.append(body)
            self._buffered += len(body)

    def on_message_complete(self) -> None:
        if self.headed and self.status != SWITCHING:
            self.complete = True

    # Waiting

    def _wait(self, *, done: bool) -> Awaitable[None]:
        """What `_wake` and `_fail` end."""
        waiter = self._waiter = self._loop.create_future()
        if done:
            waiter.set_result(None)
        elif self._error is not None:
            waiter.set_exception(self._error)
        return waiter

    def _wake(self) -> None:
        if self.listener is not None:
            self.listener(None)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: ExchangeError) -> None:
        if not self._active or self._error is not None:
            return
        self.reusable = False
        if self.complete:  # What was asked for is here: only the connection is good no more.
            self._wake()
            return
        self._error = reason
        if self.listener is not None:
            self.listener(reason)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(reason)
        self._release_writers()

    def _release_writers(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
