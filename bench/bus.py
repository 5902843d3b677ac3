"""The bus against its peers, in one run on the same servers: `make bench` or `uv run python bench/bus.py`.

The same number of events of about 1 KiB goes through a quorum queue
  raw       aio-pika alone: 100 confirms in flight, prefetch 200, acknowledged together; touches no database
  naive     a transaction an event on both sides: state and outbox row, publish, delete; then inbox and effect
  flotilla  commit with outbox, publish after commit, lane, inbox and effect, in batches (of `--commit` events)
and the table says events a second and CPU of this process, in µs an event, for each half and as a ratio to
naive. Needs `flotilla up -i test --only-servers`.
"""

import argparse
import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import aio_pika
import asyncpg
import uvloop
from flotilla.app import App
from flotilla.bus.envelope import Outgoing, encode
from flotilla.bus.topology import EXCHANGE
from flotilla.cause import Cause
from flotilla.events.crm import ContactCreated
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.process import opened, working
from flotilla.testing.harness import settings_for
from flotilla.testing.isolation import isolated
from flotilla.testing.synthetic import service
from rich.console import Console
from rich.table import Table

CONFIRMS_IN_FLIGHT = 100
OUTBOX = "INSERT INTO outbox (id, type, body) VALUES ($1, $2, $3)"
INBOX = "INSERT INTO inbox (event_id, handler) VALUES ($1, 'naive') ON CONFLICT DO NOTHING RETURNING event_id"
EFFECT = "INSERT INTO applied (organization_id, id) VALUES ($1, $2)"


@dataclass(frozen=True)
class Measured:
    """One half of a flow."""

    seconds: float
    cpu: float

    def row(self, events: int) -> tuple[str, str]:
        """Events a second, µs of this process's CPU an event."""
        return f"{events / self.seconds:,.0f}", f"{self.cpu / events * 1e6:,.0f}"


async def measured(work: Callable[[], Awaitable[object]]) -> Measured:
    """Wall and CPU time of `work`."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return Measured(time.perf_counter() - wall, time.process_time() - cpu)


def samples(number: int) -> list[ContactCreated]:
    """Events of about 1 KiB with their envelope."""
    return [
        ContactCreated(
            contact_id=new_id(),
            name="x" * 300,
            email=None,
            phone=None,
            language=None,
            company_id=None,
            owner_id=None,
            tags=[],
            source="api",
        )
        for _ in range(number)
    ]


def encoded(events: list[ContactCreated], org: UUID) -> list[Outgoing]:
    """As they go over the wire."""
    cause = Cause.fresh("service:bench")
    return [encode(event, org=org, sequence=1, cause=cause, region="eu") for event in events]


def message(event: Outgoing) -> aio_pika.Message:
    """A persistent message."""
    return aio_pika.Message(event.body, message_id=str(event.id), delivery_mode=2)


class Raw:
    """aio-pika at its best, without a database."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, events: list[Outgoing]) -> None:
        self._channel = channel
        self._events = events

    async def publish(self) -> None:
        """Confirms in flight."""
        exchange = await self._channel.get_exchange(EXCHANGE)
        flying: deque[asyncio.Task[object]] = deque()
        for event in self._events:
            flying.append(asyncio.create_task(exchange.publish(message(event), event.type, mandatory=True)))
            if len(flying) >= CONFIRMS_IN_FLIGHT:
                await flying.popleft()
        await asyncio.gather(*flying)

    async def consume(self) -> None:
        """Acknowledged together."""
        queue = await self._channel.get_queue("crm.plain")
        await self._channel.set_qos(prefetch_count=400)
        left = len(self._events)
        done = asyncio.Event()

        async def take(delivery: aio_pika.abc.AbstractIncomingMessage) -> None:
            nonlocal left
            left -= 1
            if left % 200 == 0:
                await delivery.ack(multiple=True)
            if left == 0:
                done.set()

        tag = await queue.consume(take)
        await done.wait()
        await queue.cancel(tag)


class Naive:
    """A transaction an event, one after the other."""

    def __init__(
        self, channel: aio_pika.abc.AbstractChannel, database: asyncpg.Pool, events: list[Outgoing], org: UUID
    ) -> None:
        self._channel = channel
        self._database = database
        self._events = events
        self._org = org

    async def publish(self) -> None:
        """Commit the outbox row, publish and wait, delete the row."""
        exchange = await self._channel.get_exchange(EXCHANGE)
        for event in self._events:
            async with self._database.acquire() as connection, connection.transaction():
                await self._see(connection)
                await connection.execute(EFFECT, self._org, event.id)
                await connection.execute(OUTBOX, event.id, event.type, event.body)
            await exchange.publish(message(event), event.type, mandatory=True)
            await self._database.execute("DELETE FROM outbox WHERE id = $1", event.id)

    async def consume(self) -> None:
        """Inbox and effect in a transaction, then the ack."""
        queue = await self._channel.get_queue("crm.plain")
        await self._channel.set_qos(prefetch_count=1)
        left = len(self._events)
        async with queue.iterator() as deliveries:
            async for delivery in deliveries:
                async with self._database.acquire() as connection, connection.transaction():
                    await self._see(connection)
                    event_id = UUID(delivery.message_id)
                    if await connection.fetchval(INBOX, event_id):
                        await connection.execute(EFFECT, self._org, event_id)
                await delivery.ack()
                left -= 1
                if left == 0:
                    return

    async def _see(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        await connection.execute("SELECT set_config('flotilla.orgs', $1, true)", str(self._org))


async def flotilla(instance: Instance, number: int, commit: int, org: UUID) -> tuple[Measured, Measured]:
    """Through the real process: relay, lane, inbox, effect; publishing first, then consuming, as the peers do."""
    events = samples(number)
    settings = settings_for(service, instance, {})
    async with opened(service, settings) as app:
        relay = asyncio.create_task(app.relay.run())

        async def publish() -> None:
            for start in range(0, number, commit):
                async with app.db.transaction(org, cause=Cause.fresh("service:bench")) as tx:
                    part = events[start : start + commit]
                    await tx.execute(
                        "INSERT INTO applied (organization_id, id) SELECT $1, * FROM unnest($2::uuid[])",
                        org,
                        [event.contact_id for event in part],
                    )
                    for event in part:
                        tx.emit(event, org=org, sequence=1)
            await app.relay.drained(60)

        published = await measured(publish)
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
    async with opened(service, settings) as app:
        consumed = await measured(lambda: _drain(app, org, 2 * number))
    return published, consumed


async def _drain(app: App, org: UUID, wanted: int) -> None:
    async with working(app) as at_work:
        while True:
            async with at_work.db.transaction(org) as tx:
                if await tx.fetchval("SELECT count(*) FROM applied") >= wanted:
                    return
            await asyncio.sleep(0.05)


async def main(number: int, commit: int) -> None:
    """Run all three and print the table."""
    async with isolated(service, "bench") as instance:
        org = new_id()
        connection = await aio_pika.connect(instance.amqp_url)
        pool = await asyncpg.create_pool(instance.runtime_dsn("crm"), min_size=1, max_size=2)
        async with connection, pool:
            raw = Raw(await connection.channel(), encoded(samples(number), org))
            rows = [("raw aio-pika", await measured(raw.publish), await measured(raw.consume))]
            naive = Naive(await connection.channel(), pool, encoded(samples(number), org), org)
            rows.append(("naive", await measured(naive.publish), await measured(naive.consume)))
        for size in (1, commit):
            org = new_id()
            rows.append((f"flotilla, {size} a commit", *await flotilla(instance, number, size, org)))
    show(rows, number)


def show(rows: list[tuple[str, Measured, Measured]], number: int) -> None:
    """The table; the ratio is of whole flows, publish and consume after one another."""
    table = Table(title=f"{number:,} events of about 1 KiB through a quorum queue")
    for title in ("flow", "publish/s", "µs", "consume/s", "µs", "whole flow against naive"):
        table.add_column(title, justify="left" if title == "flow" else "right")
    naive = next(p.seconds + c.seconds for name, p, c in rows if name == "naive")
    for name, published, consumed in rows:
        ratio = naive / (published.seconds + consumed.seconds)
        table.add_row(name, *published.row(number), *consumed.row(number), f"{ratio:.1f}x")
    Console(width=100).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--commit", type=int, default=100, help="events a commit in the batched form")
    arguments = parser.parse_args()
    uvloop.run(main(arguments.events, arguments.commit))
