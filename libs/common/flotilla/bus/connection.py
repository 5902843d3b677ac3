"""Connections to the broker, and which errors mean that it or a store is away rather than an event is bad."""

import socket
from typing import Final

import aio_pika
import aiormq
import asyncpg
import pymongo.errors
import redis.exceptions
from aio_pika.abc import AbstractConnection

HEARTBEAT_SECONDS: Final = 15

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
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
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


async def connect(url: str) -> AbstractConnection:
    """A plain connection; whoever holds it makes a new one when it is lost."""
    return await aio_pika.connect(url, timeout=10, heartbeat=HEARTBEAT_SECONDS)
