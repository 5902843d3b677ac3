"""Operators' words that a service carries out as timers that are due: waiting until it has."""

import asyncio
from typing import Final
from uuid import UUID

import asyncpg

from flotilla.cli.screen import failed

SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.1

PENDING: Final = "SELECT error FROM auth_bus.jobs WHERE id = $1"


async def carried_out(connection: asyncpg.Connection, job: UUID) -> None:
    """Return once auth has done it; the command fails where it does not within some seconds."""
    error: str | None = None
    try:
        async with asyncio.timeout(SECONDS):
            while (pending := await connection.fetchrow(PENDING, job)) is not None:
                error = pending["error"]
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        why = f": {error}" if error else ", for it does not answer"
        raise failed(f"auth has not done it yet{why}. It will as soon as it can.") from None
