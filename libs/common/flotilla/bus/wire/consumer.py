"""Consuming: deliveries are gathered as they come and taken out as batches."""

import asyncio
from typing import Self

from pamqp import base, commands

from flotilla.bus.wire.connection import WireConnection
from flotilla.bus.wire.errors import CancelledByBrokerError, WireError
from flotilla.bus.wire.frames import ack_through
from flotilla.bus.wire.reader import Delivery


class Consumer(WireConnection):
    """Consumes one queue; what is not acknowledged when the connection ends is delivered again."""

    def __init__(self, queue: str, prefetch: int) -> None:
        super().__init__()
        self._queue = queue
        self._prefetch = prefetch
        self._ready: list[Delivery] = []
        self._wanted = 1
        self._waiter: asyncio.Future[None] | None = None
        self._stopped = False

    @classmethod
    async def open(cls, url: str, queue: str, *, prefetch: int) -> Self:
        """One that is connected and consumes, with at most `prefetch` deliveries not acknowledged."""
        consumer = cls(queue, prefetch)
        await consumer.connect(url, queue)
        return consumer

    async def prepare(self) -> None:
        """Have the queue delivered."""
        await self._call(commands.Basic.Qos(prefetch_count=self._prefetch), commands.Basic.QosOk)
        await self._call(commands.Basic.Consume(queue=self._queue), commands.Basic.ConsumeOk)

    async def batch(self, limit: int, seconds: float) -> list[Delivery]:
        """Up to `limit` deliveries, those that come within `seconds` of the first; WireError where it is lost.

        After `stop` nothing is waited for, so that there may be none.
        """
        await self._gather(1, None)
        await self._gather(limit, seconds)
        batch = self._ready[:limit]
        del self._ready[:limit]
        return batch

    def acknowledge(self, delivery: Delivery) -> None:
        """This one and all before it are done; WireError where the connection was lost."""
        if self.error is not None:
            raise self.error
        self._transport.write(ack_through(delivery.tag))

    def stop(self) -> None:
        """Whoever waits for a batch gets what has come."""
        self._stopped = True
        self._wake()

    async def _gather(self, wanted: int, seconds: float | None) -> None:
        """Until so many are there, or the time is up."""
        if self.error is not None:
            raise self.error
        if len(self._ready) >= wanted or self._stopped:
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self._wanted = wanted
        timer = loop.call_later(seconds, self._wake) if seconds is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def on_deliveries(self, deliveries: list[Delivery]) -> None:
        """Kept until they are taken; `prefetch` bounds how many."""
        self._ready += deliveries
        if len(self._ready) >= self._wanted:
            self._wake()

    def on_method(self, channel: int, method: base.Frame) -> None:
        """A consumer may be cancelled by the broker."""
        if isinstance(method, commands.Basic.Cancel):
            self._fail(CancelledByBrokerError("the queue is gone"))
        else:
            super().on_method(channel, method)

    def on_failure(self, error: WireError) -> None:
        """Whoever waits for a batch waits no longer; what came and was not taken is delivered again."""
        self._ready.clear()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
