"""aio-pika at its best, and the naive flow that most people write with it."""

import asyncio
from collections import deque
from uuid import UUID

import aio_pika
import asyncpg
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from flotilla.bus.envelope import Outgoing
from flotilla.bus.topology import EXCHANGE

from bench.peers.base import KEY, PREFETCH, QUEUE, TOGETHER, Bench, Measured

OUTBOX = "INSERT INTO outbox (id, type, body) VALUES ($1, $2, $3)"
INBOX = "INSERT INTO inbox (event_id, handler) VALUES ($1, 'naive') ON CONFLICT DO NOTHING RETURNING event_id"
EFFECT = "INSERT INTO applied (organization_id, id) VALUES ($1, $2)"


def message(event: Outgoing) -> aio_pika.Message:
    """A persistent message."""
    return aio_pika.Message(event.body, message_id=str(event.id), delivery_mode=2)


class Raw:
    """Confirms in flight, deliveries acknowledged together, no database."""

    name = "raw aio-pika"

    async def run(self, bench: Bench) -> tuple[Measured, Measured]:
        """The ceiling of that client."""
        events = bench.encoded()
        async with await aio_pika.connect(bench.instance.amqp_url) as connection:
            channel = await connection.channel()
            published = await bench.measure(lambda: self._publish(channel, events))
            return published, await bench.measure(lambda: self._consume(channel, len(events)))

    async def _publish(self, channel: AbstractChannel, events: list[Outgoing]) -> None:
        exchange = await channel.get_exchange(EXCHANGE)
        flying: deque[asyncio.Task[object]] = deque()
        for event in events:
            flying.append(asyncio.create_task(exchange.publish(message(event), KEY, mandatory=True)))
            if len(flying) >= TOGETHER:
                await flying.popleft()
        await asyncio.gather(*flying)

    async def _consume(self, channel: AbstractChannel, left: int) -> None:
        queue = await channel.get_queue(QUEUE)
        await channel.set_qos(prefetch_count=PREFETCH)
        done = asyncio.Event()

        async def take(delivery: AbstractIncomingMessage) -> None:
            nonlocal left
            left -= 1
            if left % TOGETHER == 0:
                await delivery.ack(multiple=True)
            if left == 0:
                done.set()

        tag = await queue.consume(take)
        await done.wait()
        await queue.cancel(tag)


class Naive:
    """A transaction an event on both sides, one after the other."""

    name = "naive"

    async def run(self, bench: Bench) -> tuple[Measured, Measured]:
        """State and outbox row, publish, delete; then inbox and effect, ack."""
        events = bench.encoded()
        pool = await asyncpg.create_pool(bench.instance.runtime_dsn("crm"), min_size=1, max_size=2)
        async with pool, await aio_pika.connect(bench.instance.amqp_url) as connection:
            channel = await connection.channel()
            published = await bench.measure(lambda: self._publish(channel, pool, events, bench.org))
            return published, await bench.measure(
                lambda: self._consume(channel, pool, len(events), bench.org)
            )

    async def _publish(
        self, channel: AbstractChannel, pool: asyncpg.Pool, events: list[Outgoing], org: UUID
    ) -> None:
        exchange = await channel.get_exchange(EXCHANGE)
        for event in events:
            async with pool.acquire() as connection, connection.transaction():
                await self._see(connection, org)
                await connection.execute(EFFECT, org, event.id)
                await connection.execute(OUTBOX, event.id, event.type, event.body)
            await exchange.publish(message(event), KEY, mandatory=True)
            await pool.execute("DELETE FROM outbox WHERE id = $1", event.id)

    async def _consume(self, channel: AbstractChannel, pool: asyncpg.Pool, left: int, org: UUID) -> None:
        queue = await channel.get_queue(QUEUE)
        await channel.set_qos(prefetch_count=1)
        async with queue.iterator() as deliveries:
            async for delivery in deliveries:
                event_id = UUID(delivery.message_id)
                async with pool.acquire() as connection, connection.transaction():
                    await self._see(connection, org)
                    if await connection.fetchval(INBOX, event_id):
                        await connection.execute(EFFECT, org, event_id)
                await delivery.ack()
                left -= 1
                if left == 0:
                    return

    async def _see(self, connection: asyncpg.pool.PoolConnectionProxy, org: UUID) -> None:
        await connection.execute("SELECT set_config('flotilla.orgs', $1, true)", str(org))
