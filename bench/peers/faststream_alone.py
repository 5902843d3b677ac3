"""FastStream as its documentation has it, confirms in flight; no database. In the dependency group `bench`."""

import asyncio
import logging
from collections import deque
from typing import Any

from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue
from faststream.rabbit.schemas.queue import QueueType
from flotilla.bus.envelope import Outgoing
from flotilla.bus.topology import EXCHANGE

from bench.peers.base import KEY, PREFETCH, QUEUE, TOGETHER, Bench, Measured


class FastStream:
    """A subscriber that takes the decoded event and does nothing with it."""

    name = "FastStream"

    async def run(self, bench: Bench) -> tuple[Measured, Measured]:
        """One broker to publish, another to consume."""
        events = bench.encoded()
        url = bench.instance.amqp_url
        async with RabbitBroker(url, logger=None) as broker:
            published = await bench.measure(lambda: self._publish(broker, events))
        return published, await bench.measure(lambda: self._consume(url, len(events)))

    async def _publish(self, broker: RabbitBroker, events: list[Outgoing]) -> None:
        exchange = RabbitExchange(EXCHANGE, type=ExchangeType.TOPIC, durable=True)
        flying: deque[asyncio.Task[Any]] = deque()
        for event in events:
            sending = broker.publish(
                event.body,
                exchange=exchange,
                routing_key=KEY,
                message_id=str(event.id),
                content_type="application/json",
                mandatory=True,
                persist=True,
            )
            flying.append(asyncio.create_task(sending))
            if len(flying) >= TOGETHER:
                await flying.popleft()
        await asyncio.gather(*flying)

    async def _consume(self, url: str, left: int) -> None:
        logging.getLogger("faststream").setLevel(logging.ERROR)
        broker = RabbitBroker(url, logger=None)
        queue = RabbitQueue(QUEUE, queue_type=QueueType.QUORUM, durable=True, declare=False)
        done = asyncio.Event()

        @broker.subscriber(queue, channel=Channel(prefetch_count=PREFETCH))
        async def take(event: dict[str, Any]) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done.set()

        async with broker:
            await broker.start()
            await done.wait()
