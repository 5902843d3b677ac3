"""HTTP and WebSocket clients that cost little: bytes made beforehand, answers looked at no more than they must be."""

import asyncio
import base64
import os
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import httptools

CLOSED: Final = 0
"""Instead of a status: the connection ended before the answer."""
TEXT: Final = 0x81
PONG: Final = b'{"type":"pong"}'
EVENT: Final = b'{"type":"event","id":"'
"""How each event's frame begins, and nothing else: inside of a text quotes are escaped."""
RESYNC: Final = b'{"type":"resync"}'
PING: Final = b'{"type":"ping"}'


class _Exchange(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, free: deque["_Exchange"]) -> None:
        self._free = free
        self._answered: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes) -> "asyncio.Future[int]":
        """The status of the answer, once all of it has come."""
        assert self.transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        assert self._answered is not None
        self._free.append(self)
        if not self._answered.done():
            self._answered.set_result(self._parser.get_status_code())

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(CLOSED)


class Http:
    """As many connections to one place as are needed at once, kept open."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._free: deque[_Exchange] = deque()

    async def post(self, path: str, headers: str, body: bytes) -> int:
        """The status; `headers` are lines that end in CRLF."""
        host, port = self._place
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
            f"{headers}Content-Length: {len(body)}\r\n\r\n"
        )
        exchange = await self._exchange()
        return await exchange.ask(head.encode() + body)

    async def _exchange(self) -> _Exchange:
        while self._free:
            exchange = self._free.pop()
            if exchange.transport is not None:
                return exchange
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: _Exchange(self._free), *self._place)
        return made


class Socket(asyncio.Protocol):
    """A person's WebSocket: pings are answered, and what comes is handed on whole where somebody listens."""

    def __init__(self, heard: Callable[[bytes], None] | None) -> None:
        self._heard = heard
        self._held = b""
        self._open = False
        self.events = 0
        """That came."""
        self.resyncs = 0
        """How often it was told to read everything again."""
        self.is_closed = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(
        cls, host: str, port: int, path: str, headers: str, heard: Callable[[bytes], None] | None
    ) -> "Socket":
        """One that the server has taken."""
        loop = asyncio.get_running_loop()
        transport, socket = await loop.create_connection(lambda: cls(heard), host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n".encode()
        )
        async with asyncio.timeout(30):
            await socket.opened
        return socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._open:
            data = self._greeted(data)
        if not self._open:
            return
        if self._heard is None:
            self._glance(data)
            return
        self._held = self._taken(self._held + data if self._held else data)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"refused: {self._held[:200]!r}"))

    def _greeted(self, data: bytes) -> bytes:
        self._held += data
        head, end, rest = self._held.partition(b"\r\n\r\n")
        if not end:
            return b""
        if not head.startswith(b"HTTP/1.1 101"):
            self._transport.close()
            return b""
        self._open, self._held = True, b""
        self.opened.set_result(None)
        return rest

    def _glance(self, data: bytes) -> None:
        """Nobody looks at the frames: they are counted by how they begin, wherever that stands."""
        seam = self._held + data
        for words in (EVENT, RESYNC, PING):
            if new := seam.count(words) - self._held.count(words):
                self._count(words, new)
        self._held = seam[1 - len(EVENT) :]  # the longest of them, but for its end

    def _count(self, words: bytes, number: int) -> None:
        if words is EVENT:
            self.events += number
        elif words is RESYNC:
            self.resyncs += number
        else:
            self._say(PONG)

    def _taken(self, data: bytes) -> bytes:
        """Hand on the frames that are whole; what is left of the next."""
        at = 0
        while len(data) - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[start : start + 2]), start + 2
            elif length == 127:
                length, start = int.from_bytes(data[start : start + 8]), start + 8
            if len(data) < start + length:
                break
            if data[at] == TEXT:
                self._frame(data[start : start + length])
            at = start + length
        return data[at:]

    def _frame(self, payload: bytes) -> None:
        assert self._heard is not None
        for words in (EVENT, RESYNC, PING):
            if payload.startswith(words):
                self._count(words, 1)
        self._heard(payload)

    def _say(self, words: bytes) -> None:
        """A text frame, masked with zeros, so that nothing has to be masked."""
        self._transport.write(bytes((TEXT, 0x80 | len(words), 0, 0, 0, 0)) + words)
