"""A listener beside the fleet: every event of a vhost, decoded, kept, and awaited by tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from flotilla.bus import transient
from flotilla.bus.envelope import Received, decode, receive
from flotilla.bus.topology import EXCHANGE
from flotilla.events.base import CONTRACTS, Event

E = TypeVar("E", bound=Event)


class Spy:
    """What was published, in the order in which it came."""

    def __init__(self) -> None:
        self.events: list[Received[Event]] = []
        self._more = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def on(cls, amqp_url: str) -> AsyncIterator["Spy"]:
        """Listen to a vhost."""
        spy = cls()
        connection = await aio_pika.connect(amqp_url, timeout=10)
        async with connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(exchange, "#")
            await transient.declare(channel)
            await queue.bind(transient.EXCHANGE, "#")
            await queue.consume(spy._hear, no_ack=True)
            yield spy

    def of(self, type_: type[E], org: object = None) -> list[Received[E]]:
        """All of one type, of one organization where it is named."""
        found = [event for event in self.events if isinstance(event.data, type_)]
        return [cast("Received[E]", event) for event in found if org in (None, event.org)]

    async def expect(
        self, type_: type[E], where: Callable[[Received[E]], Any] = lambda _: True, *, seconds: float = 30.0
    ) -> Received[E]:
        """The first event of this type for which `where` is true; AssertionError after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for event in self.of(type_):
                        if where(event):
                            return event
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            seen = [event.envelope.type for event in self.events][-20:]
            raise AssertionError(f"no such {type_.__name__} within {seconds} s; last seen: {seen}") from None

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        envelope = decode(message.body)
        contract = CONTRACTS.get(envelope.type)
        if contract is not None:
            self.events.append(receive(envelope, contract))
            self._more.set()
