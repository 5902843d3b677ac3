"""The one connection that a process keeps to its service's database, through restarts of it.

Over it the process hears what transactions of the service's other processes say (LISTEN), and shows them that it
lives: its locks go with the connection, however the process ends.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import asyncpg

PROBE_SECONDS: Final = 30.0
"""How often a silent connection is asked whether it still is one: a peer that vanished says nothing."""
KEEPALIVE: Final = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}
"""Seconds: a process whose machine vanished is dead to the others after half a minute."""


class _Guest(Protocol):
    """What uses the connection, and each one that comes after it."""

    async def begin(self, connection: asyncpg.Connection) -> None:
        """Use this one."""


@dataclass(eq=False)
class _Ear:
    """Somebody who listens to a channel."""

    channel: str
    heard: Callable[[str], None]
    lost: Callable[[], None]
    listening: bool = True
    """Until who listens is cancelled; the connection may say something a little longer."""

    def __call__(self, _connection: object, _process: object, _channel: object, payload: object) -> None:
        if self.listening:
            self.heard(str(payload))

    async def begin(self, connection: asyncpg.Connection) -> None:
        """Listen there."""
        await connection.add_listener(self.channel, self)
        self.lost()


@dataclass(eq=False)
class _Sign:
    """A sign of life: a shared advisory lock. Who cannot have it alone knows that its holder lives."""

    table: str
    number: int

    async def begin(self, connection: asyncpg.Connection) -> None:
        """Take it."""
        sql = "SELECT pg_advisory_lock_shared($1::text::regclass::int, $2)"
        await connection.execute(sql, self.table, self.number)


class Listener:
    """The one connection of a process, there while somebody uses it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._guests: list[_Guest] = []
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()
        """A connection does one thing at a time."""

    async def listen(self, channel: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        """Call `heard(payload)` at each notification, and `lost()` at each new connection, until cancelled."""
        ear = _Ear(channel, heard, lost)
        try:
            await self._stay(ear)
        finally:
            ear.listening = False

    async def show_life(self, table: str, number: int) -> None:
        """Hold the lock (table, number) over each connection, until cancelled."""
        try:
            await self._stay(_Sign(table, number))
        finally:
            if self._connection is not None:
                self._connection.terminate()  # the lock goes with it; others get a new one

    async def _stay(self, guest: _Guest) -> None:
        try:
            async with self._turn:
                self._guests.append(guest)
                if self._connection is not None:
                    await self._begin(self._connection, guest)
            if self._task is None:
                self._task = asyncio.create_task(self._run(), name="listening")
            await asyncio.shield(self._task)
        finally:
            self._guests.remove(guest)
            if not self._guests and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._over_one_connection()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await asyncio.sleep(1)

    async def _over_one_connection(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10, server_settings=KEEPALIVE)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            async with self._turn:
                for guest in self._guests:
                    await self._begin(connection, guest)
                self._connection = connection
            while not closed.is_set():
                try:
                    await asyncio.wait_for(closed.wait(), PROBE_SECONDS)
                except TimeoutError:
                    async with self._turn:
                        await connection.execute("SELECT 1", timeout=10)
        finally:
            self._connection = None
            connection.terminate()

    async def _begin(self, connection: asyncpg.Connection, guest: _Guest) -> None:
        try:
            await guest.begin(connection)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()  # made anew, for all who use it
