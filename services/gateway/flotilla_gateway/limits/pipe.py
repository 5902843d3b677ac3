"""One pipelined connection to Redis: commands go out as they come, answers come back in order.

redis-py takes a connection from a pool and waits for each answer; at one decision a request that costs more
than forwarding the request does. Here all decisions of one turn of the loop share a write and a read.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import hiredis
from flotilla.outside import forbid_in_transaction
from flotilla.security.tls import trusting

from flotilla_gateway.outgoing import GatheredTransport, Outgoing

RECONNECT_SECONDS: Final = 0.5
HIGH_WATER: Final = 1024 * 1024


Word = bytes | str | int
Then = Callable[[object], None]
"""Called with an answer, or with the error in its place."""


class RedisDownError(Exception):
    """Redis cannot be asked now, or did not answer in time."""


class _Wire(asyncio.Protocol):
    transport: GatheredTransport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._outgoing = Outgoing(loop)
        self._reader = hiredis.Reader()
        self._pending: deque[tuple[float, Then]] = deque()
        self.lost = loop.create_future()

    def tell(self, then: Then, command: bytes) -> None:
        self._pending.append((self._loop.time(), then))
        self.transport.write(command)

    def ask(self, *command: Word) -> "asyncio.Future[object]":
        answer: asyncio.Future[object] = self._loop.create_future()
        self.tell(partial(settle, answer), _pack(*command))
        return answer

    @property
    def usable(self) -> bool:
        return not self.lost.done() and self.transport.get_write_buffer_size() < HIGH_WATER

    def waited(self) -> float:
        """How long the oldest command has been waiting."""
        return self._loop.time() - self._pending[0][0] if self._pending else 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclass of it.
        self.transport = GatheredTransport(cast(asyncio.Transport, transport), self._outgoing)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (value := self._reader.gets()) is not False:
            _, then = self._pending.popleft()
            then(value)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        pending, self._pending = self._pending, deque()
        for _, then in pending:
            then(RedisDownError("the connection was lost"))


class RedisPipe:
    """Keeps the connection; while it is away every command fails at once."""

    def __init__(self, url: str, time_limit: float) -> None:
        """`url`: `redis://[user:password@]host:port/index`, with TLS `rediss://…?ssl_ca_certs=…`.

        `time_limit`: seconds an answer may take.
        """
        self._address = urlsplit(url)
        self._time_limit = time_limit
        self._loop = asyncio.get_running_loop()
        self._wire: _Wire | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Try to connect once, then keep trying in the background."""
        with contextlib.suppress(RedisDownError, OSError, TimeoutError, hiredis.ReplyError):
            self._wire = await self._connect()
        self._tasks = [asyncio.create_task(self._keep()), asyncio.create_task(self._watch())]

    async def close(self) -> None:
        """Let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._wire is not None:
            self._wire.transport.abort()

    @property
    def is_up(self) -> bool:
        """There is a connection that takes commands."""
        return self._wire is not None and self._wire.usable

    def tell(self, then: Then, *command: Word) -> None:
        """Ask; `then` hears the answer, RedisDownError (at once where there is no connection), or hiredis.ReplyError
        where Redis says the command is wrong. It must not raise."""
        forbid_in_transaction("redis")
        wire = self._wire
        if wire is None or not wire.usable:
            then(RedisDownError("not connected"))
        else:
            wire.tell(then, _pack(*command))

    async def ask(self, *command: Word) -> object:
        """The same, awaited."""
        answer: asyncio.Future[object] = self._loop.create_future()
        self.tell(partial(settle, answer), *command)
        return await answer

    async def _connect(self) -> _Wire:
        address = self._address
        async with asyncio.timeout(max(self._time_limit, 1.0)):
            _, wire = await self._loop.create_connection(
                lambda: _Wire(self._loop), address.hostname or "", address.port or 6379, ssl=_tls(address)
            )
            try:
                if address.password:
                    user = unquote(address.username or "default")
                    await wire.ask("AUTH", user, unquote(address.password))
                await wire.ask("SELECT", address.path.strip("/") or "0")
            except BaseException:
                wire.transport.abort()
                raise
        return wire

    async def _keep(self) -> None:
        while True:
            if self._wire is not None:
                await asyncio.shield(self._wire.lost)
                self._wire = None
            try:
                self._wire = await self._connect()
            except (RedisDownError, OSError, TimeoutError, hiredis.ReplyError):
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _watch(self) -> None:
        """A Redis that hangs is as good as down: everything that waits for it fails, and it is called anew."""
        while True:
            await asyncio.sleep(self._time_limit / 2)
            if self._wire is not None and self._wire.waited() > self._time_limit:
                self._wire.transport.abort()


def settle(future: "asyncio.Future[object]", answer: object) -> None:
    """Somebody who awaits has it."""
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _tls(address: SplitResult) -> ssl.SSLContext | None:
    """Made for each connection, so that authorities that were exchanged are believed."""
    if address.scheme != "rediss":
        return None
    return trusting(parse_qs(address.query).get("ssl_ca_certs", [None])[-1])


def _pack(*command: Word) -> bytes:
    """A command on the wire; hiredis's own annotation knows commands of one word only."""
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed
