"""Hearing what transactions of the service's other processes say (LISTEN), through restarts of the database."""

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg

PROBE_SECONDS: Final = 30.0
"""How often a silent connection is asked whether it still is one: a peer that vanished says nothing."""


async def listen(dsn: str, channel: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
    """Call `heard(payload)` at each notification, and `lost()` at each new connection, until cancelled."""
    while True:
        try:
            await _over_one_connection(dsn, channel, heard, lost)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await asyncio.sleep(1)


async def _over_one_connection(
    dsn: str, channel: str, heard: Callable[[str], None], lost: Callable[[], None]
) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    closed = asyncio.Event()
    connection.add_termination_listener(lambda _: closed.set())
    try:
        await connection.add_listener(channel, lambda _c, _p, _n, payload: heard(str(payload)))
        lost()
        while not closed.is_set():
            try:
                await asyncio.wait_for(closed.wait(), PROBE_SECONDS)
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=10)
    finally:
        connection.terminate()
