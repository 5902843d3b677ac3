"""Connections to the broker, and which errors mean that it or a store is away rather than an event is bad."""

import asyncio
import contextlib
import socket
from typing import Final

import aio_pika
import aiormq
import asyncpg
import pymongo.errors
import redis.exceptions
from aio_pika.abc import AbstractConnection, TimeoutType

HEARTBEAT_SECONDS: Final = 10
CLOSE_SECONDS: Final = 5

BROKER_ERRORS: Final = (
    aiormq.exceptions.AMQPError,
    aiormq.exceptions.ChannelInvalidStateError,
    aiormq.exceptions.ConnectionClosed,
    OSError,
    TimeoutError,
)

INFRASTRUCTURE_ERRORS: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.ReadOnlySQLTransactionError,
    pymongo.errors.ConnectionFailure,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    ConnectionError,
    socket.gaierror,
    TimeoutError,
)
"""The event is not to blame: pause, count no attempt, do the same again."""


class _Connection(aio_pika.Connection):
    """Closed at once where it cannot be opened.

    aio-pika leaves that to the garbage collector. The error's traceback holds the connection till then, so it may be
    collected in a thread that has no loop, where nothing can be awaited.
    """

    async def connect(self, timeout: TimeoutType = None) -> None:
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


async def connect(url: str) -> AbstractConnection:
    """A plain connection; whoever holds it makes a new one when it is lost.

    Raises one of `BROKER_ERRORS`. aiormq ends its own reading with a StopAsyncIteration where the broker hangs up
    during the handshake, as one does that is being killed.
    """
    try:
        return await aio_pika.connect(
            url, connection_class=_Connection, timeout=10, heartbeat=HEARTBEAT_SECONDS
        )
    except StopAsyncIteration as error:
        raise ConnectionResetError("the broker hung up during the handshake") from error


async def close(connection: AbstractConnection) -> None:
    """Close it, whatever has become of the broker: one that no longer answers is not waited for."""
    with contextlib.suppress(*BROKER_ERRORS):
        await asyncio.wait_for(connection.close(), CLOSE_SECONDS)
