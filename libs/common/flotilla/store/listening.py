"""Hearing what transactions of the service's other processes say (LISTEN), through restarts of the database.

One connection a process, whatever it listens to.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import asyncpg

PROBE_SECONDS: Final = 30.0
"""How often a silent connection is asked whether it still is one: a peer that vanished says nothing."""


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


class Listener:
    """The one connection of a process, there while somebody listens."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._ears: list[_Ear] = []
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()
        """A connection does one thing at a time."""

    async def listen(self, channel: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        """Call `heard(payload)` at each notification, and `lost()` at each new connection, until cancelled."""
        ear = _Ear(channel, heard, lost)
        try:
            async with self._turn:
                self._ears.append(ear)
                if self._connection is not None:
                    await self._open(self._connection, ear)
            if self._task is None:
                self._task = asyncio.create_task(self._run(), name="listening")
            await asyncio.shield(self._task)
        finally:
            ear.listening = False
            self._ears.remove(ear)
            if not self._ears and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._over_one_connection()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await asyncio.sleep(1)

    async def _over_one_connection(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            async with self._turn:
                for ear in self._ears:
                    await self._open(connection, ear)
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

    async def _open(self, connection: asyncpg.Connection, ear: _Ear) -> None:
        try:
            await connection.add_listener(ear.channel, ear)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection.terminate()  # made anew, for all who listen
        else:
            ear.lost()
