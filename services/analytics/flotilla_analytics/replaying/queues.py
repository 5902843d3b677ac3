"""A service's own queue: published to directly, confirmed, and not too far ahead of its reader."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError
from flotilla.bus.connection import close, connect
from flotilla.outside import forbid_in_transaction
from flotilla.replay import wire
from flotilla.replay.wire import Stretch

AHEAD: Final = 20
"""So many stretches may wait for their reader."""
CONFIRM_SECONDS: Final = 30


class NoSuchQueueError(LookupError):
    """Nobody takes what is sent there."""


class Queue:
    """One queue, over one connection; BROKER_ERRORS where that is lost."""

    def __init__(self, connection: AbstractConnection, channel: AbstractChannel, name: str) -> None:
        self._connection = connection
        self._channel = channel
        self._name = name

    @classmethod
    @asynccontextmanager
    async def on(cls, amqp_url: str, name: str) -> AsyncIterator["Queue"]:
        """Connected until the end of the block."""
        forbid_in_transaction("the broker")
        connection = await connect(amqp_url)
        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            yield cls(connection, channel, name)
        finally:
            await close(connection)

    async def send(self, stretch: Stretch) -> None:
        """Return once the broker keeps it; NoSuchQueueError where there is none of that name."""
        forbid_in_transaction("the broker")
        message = aio_pika.Message(
            wire.encode(stretch),
            message_id=f"{stretch.id}:{stretch.upto}",
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        try:
            await self._channel.default_exchange.publish(
                message, self._name, mandatory=True, timeout=CONFIRM_SECONDS
            )
        except DeliveryError as error:
            raise NoSuchQueueError(f"there is no queue {self._name}") from error

    async def full(self) -> bool:
        """Whether its reader has enough to do."""
        forbid_in_transaction("the broker")
        try:
            found = await self._channel.declare_queue(self._name, passive=True)
        except ChannelNotFoundEntity as error:
            raise NoSuchQueueError(f"there is no queue {self._name}") from error
        return (found.declaration_result.message_count or 0) >= AHEAD
