"""One service as the gateway sees it: its addresses, its pool of kept-alive connections, its breaker.

A platform gives a service one address and shares its connections out among the replicas behind it. Where there is
none that does, the gateway is given the replicas' own: new connections go to one after the other, and past one
that takes none. Nothing has been sent by then, so that is safe for every request.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flotilla_gateway.forward.breaker import Breaker
from flotilla_gateway.forward.connection import NEVER, Connection
from flotilla_gateway.forward.errors import BusyError, CallerGoneError, ConnectError, TimedOutError
from flotilla_gateway.outgoing import Outgoing

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
SLOWEST_SECONDS: Final = 2.0
"""How long an exchange may wait for its caller where another waits for its connection."""


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """How long things may take, in seconds, and how many connections there may be."""

    connections: int = 256
    connect: float = 2.0
    answer: float = 30.0
    """Until the response's head."""
    silence: float = 75.0
    """Between two parts of a response's body; streams send a heartbeat more often."""
    idle: float = 30.0
    """How long a connection is kept for the next request: shorter than the service keeps it."""


class Upstream:
    """Connections to one service."""

    def __init__(
        self, name: str, urls: str, limits: UpstreamLimits, tls: ssl.SSLContext | None = None
    ) -> None:
        """`urls`: `http://host:port`, or several with `|` between them; `tls`: how `https://` ones are spoken to.

        It checks the host's name; without one, against public authorities.
        """
        self.name = name
        self.addresses: deque[tuple[str, int]] = deque(_address(name, url) for url in urls.split("|"))
        self.authority = urlsplit(urls.split("|")[0]).netloc.encode("ascii")
        self.limits = limits
        encrypted = urlsplit(urls).scheme == "https"
        self._tls: ssl.SSLContext | bool | None = (tls or True) if encrypted else None
        self._loop = asyncio.get_running_loop()
        self._outgoing = Outgoing(self._loop)
        self.breaker = Breaker(self._loop.time)
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._streams: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def in_flight(self) -> int:
        """Exchanges in hand."""
        return len(self._busy)

    @property
    def is_ready(self) -> bool:
        """A connection idles, and nothing speaks against using it."""
        return bool(self._idle) and self.breaker.is_closed

    def ready(self) -> Connection | None:
        """A connection that idles, to be used until `release`."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return self._use(connection)
        return None

    async def acquire(self, *, fresh: bool = False) -> Connection:
        """A connection of one's own until `release`; ConnectError or BusyError where there is none."""
        if fresh:
            self._drop_idle()  # One of them was stale: the service was restarted, and so are the others.
        while True:
            if connection := self.ready():
                return connection
            if len(self._busy) + self._opening < self.limits.connections:
                return await self.dial()
            self._make_room()
            await self._queue()

    async def dial(self) -> Connection:
        """A new connection, whatever is in the pool."""
        return self._use(await self._open())

    def _use(self, connection: Connection) -> Connection:
        self._busy.add(connection)
        connection.deadline = self._loop.time() + self.limits.answer
        return connection

    def release(self, connection: Connection) -> None:
        """Give it back: kept where its exchange is complete and the service keeps it, else closed."""
        self._busy.discard(connection)
        self._streams.discard(connection)
        transport = connection.transport
        if connection.complete and connection.reusable and not transport.is_closing():
            connection.end()
            connection.idle_since = self._loop.time()
            self._idle.append(connection)
        else:
            connection.abort(CallerGoneError())
            connection.end()
        if self._waiting:
            self._admit()

    def set_apart(self, connection: Connection) -> None:
        """Its response is a stream without end: it takes no place among the connections any more."""
        self._busy.discard(connection)
        self._streams.add(connection)
        self._admit()

    def surrender(self, connection: Connection) -> None:
        """It became a tunnel: whoever has it closes it."""
        self._busy.discard(connection)
        self._admit()

    def heard(self, connection: Connection) -> None:
        """The response goes on: the time limit begins anew."""
        connection.deadline = self._loop.time() + self.limits.silence

    def sweep(self) -> None:
        """Give up what takes too long, close what idled long enough."""
        now = self._loop.time()
        for turn in list(self._waiting):
            if not turn.done():
                self._make_room()
        for connection in [found for found in (*self._busy, *self._streams) if found.deadline < now]:
            connection.deadline = NEVER
            connection.abort(TimedOutError())
        keep_from = now - self.limits.idle
        while self._idle and self._idle[0].idle_since < keep_from:
            self._idle.pop(0).transport.close()

    def close(self) -> None:
        """Close all connections."""
        self._drop_idle()
        for connection in [*self._busy, *self._streams]:
            connection.abort(CallerGoneError())

    async def _open(self) -> Connection:
        """To the next address, whose turn it then is no more, and past those that take none.

        The order is this one's own: whoever dials meanwhile turns the addresses, and would lead it to a dead one twice.
        """
        self._opening += 1
        *others, last = self.addresses
        self.addresses.rotate(-1)
        try:
            for address in others:
                with contextlib.suppress(ConnectError):
                    return await self._connect(address)
            return await self._connect(last)
        finally:
            self._opening -= 1
            self._admit()

    async def _connect(self, address: tuple[str, int]) -> Connection:
        host, port = address
        try:
            async with asyncio.timeout(self.limits.connect):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._loop, self._outgoing, self._lost),
                    host,
                    port,
                    ssl=self._tls,
                )
        except (OSError, TimeoutError) as error:
            raise ConnectError(str(error)) from error
        return connection

    async def _queue(self) -> None:
        turn = self._loop.create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self.limits.connect):
                await turn
        except TimeoutError:
            raise BusyError(f"{self.limits.connections} connections are in use") from None

    def _make_room(self) -> None:
        """All are in use and one is wanted: the exchange that waits longest for its caller to send or to read ends.

        So nobody keeps a service from the others by being slow, with as many requests as there are connections.
        """
        before = self._loop.time() - SLOWEST_SECONDS
        slowest = min(self._busy, key=lambda each: each.held_since, default=None)
        if slowest is not None and slowest.held_since < before and slowest.give_way is not None:
            slowest.go_on()
            slowest.give_way()

    def _admit(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _drop_idle(self) -> None:
        for connection in self._idle:
            connection.transport.close()
        self._idle.clear()

    def _lost(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)


def _address(name: str, url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{name}: {url!r} is no http or https address")
    return parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme]
