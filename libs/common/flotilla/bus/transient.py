"""Events that are worth something now or never, as that somebody types: no outbox, no lane, no archive.

They have an exchange of their own, so that whoever takes all events (`#`: the archive) is not handed them, and no
quorum queue writes them down. Nobody may be there; they expire after seconds; a broker that is away loses them.

    await app.transient.tell(ChannelTyping(...), org=org, audience="org")
    await app.transient.hear((ChannelTyping,), heard)              # every process
    await app.transient.hear((ConversationTyping,), heard, shared=True)  # one process of the service
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from uuid import UUID

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage

from flotilla.bus.connection import BROKER_ERRORS, close, connect
from flotilla.bus.envelope import Received, decode, encode, receive
from flotilla.cause import Cause, current_cause
from flotilla.events.base import CONTRACTS, Event, contract_of

log = structlog.get_logger()

EXCHANGE: Final = "flotilla.transient"
EXPIRES_SECONDS: Final = 5
TELL_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 1.0
AT_ONCE: Final = 50
"""Unheard events in a process's hands."""
FULL: Final = 1_000
"""Events that wait in a queue; the oldest are dropped."""

Heard = Callable[[Received[Any]], Awaitable[None]]


async def declare(channel: AbstractChannel) -> None:
    """The exchange, with all that stands in the broker; safe to repeat."""
    await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)


class Transient:
    """A process's way to tell and to hear them."""

    def __init__(self, amqp_url: str, *, service: str, region: str) -> None:
        self._url = amqp_url
        self._service = service
        self._region = region
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchange: AbstractExchange | None = None

    async def tell(
        self, data: Event, *, org: UUID, audience: str | None = None, cause: Cause | None = None
    ) -> bool:
        """Tell whoever listens now; never fails: whether the broker took it."""
        if not contract_of(type(data)).transient:
            raise ValueError(
                f"{contract_of(type(data)).type} is no transient event: emit it in a transaction"
            )
        found = cause or current_cause.get() or Cause.fresh(f"service:{self._service}")
        event = encode(
            data,
            org=org,
            sequence=0,
            cause=found,
            region=self._region,
            service=self._service,
            audience=audience,
        )
        message = aio_pika.Message(
            event.body,
            message_id=str(event.id),
            content_type="application/cloudevents+json",
            delivery_mode=aio_pika.DeliveryMode.NOT_PERSISTENT,
            expiration=EXPIRES_SECONDS,
        )
        try:
            async with asyncio.timeout(TELL_SECONDS):
                exchange = await self._open()
                await exchange.publish(message, event.type, mandatory=False)
        except BROKER_ERRORS as error:
            log.info("transient.lost", type=event.type, error=type(error).__name__)
            return False
        return True

    async def hear(self, types: Sequence[type[Event]], heard: Heard, *, shared: bool = False) -> None:
        """Call `heard` with each, until cancelled; `shared`: only one process of the service hears each."""
        while True:
            try:
                await self._hear(types, heard, shared)
            except BROKER_ERRORS as error:
                log.info("transient.deaf", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await close(self._connection)

    async def _hear(self, types: Sequence[type[Event]], heard: Heard, shared: bool) -> None:
        connection = await connect(self._url)
        lost = asyncio.Event()
        try:
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: lost.set())
            await channel.set_qos(AT_ONCE)
            queue = await channel.declare_queue(
                f"{self._service}.transient" if shared else None,
                exclusive=not shared,
                auto_delete=True,
                arguments={"x-max-length": FULL},
            )
            for type_ in types:
                await queue.bind(EXCHANGE, contract_of(type_).type)

            async def take(message: AbstractIncomingMessage) -> None:
                try:
                    envelope = decode(message.body)
                    if envelope.region == self._region:
                        await heard(receive(envelope, CONTRACTS[envelope.type]))
                except Exception as error:
                    log.warning("transient.unheard", type=message.routing_key, exc_info=error)
                finally:
                    with contextlib.suppress(*BROKER_ERRORS):
                        await message.ack()

            await queue.consume(take)
            await lost.wait()
        finally:
            await close(connection)

    async def _open(self) -> AbstractExchange:
        async with self._opening:
            if self._exchange is None or self._channel is None or self._channel.is_closed:
                self._exchange = None
                await self.close()
                self._connection = await connect(self._url)
                self._channel = await self._connection.channel()
                self._exchange = await self._channel.get_exchange(EXCHANGE, ensure=False)
            return self._exchange
