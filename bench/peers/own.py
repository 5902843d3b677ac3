"""Flotilla: through the real process, all transactions included; and its hot path by itself."""

import asyncio
from dataclasses import dataclass

from flotilla.bus.envelope import Outgoing
from flotilla.bus.topology import EXCHANGE
from flotilla.bus.wire.consumer import Consumer
from flotilla.bus.wire.frames import Message
from flotilla.bus.wire.publisher import Publisher
from flotilla.cause import Cause
from flotilla.events.crm import ContactCreated
from flotilla.process import opened, working
from flotilla.telemetry import metrics
from flotilla.testing.harness import settings_for
from flotilla.testing.synthetic import service

from bench.peers.base import PREFETCH, QUEUE, TOGETHER, Bench, Measured

EFFECTS = "INSERT INTO applied (organization_id, id) SELECT $1, * FROM unnest($2::uuid[])"
HANDLED = metrics.HANDLED.labels("plain", "record_contact")


class HotPath:
    """Publish what was committed, consume into batches and acknowledge; no database and no decoding."""

    name = "flotilla, hot path alone"

    async def run(self, bench: Bench) -> tuple[Measured, Measured]:
        """Over the wire and back."""
        url, events = bench.instance.amqp_url, bench.encoded()
        publisher = await Publisher.open(url, "bench")
        published = await bench.measure(lambda: self._publish(publisher, events))
        await publisher.close()
        consumer = await Consumer.open(url, QUEUE, prefetch=PREFETCH)
        consumed = await bench.measure(lambda: self._consume(consumer, len(events)))
        await consumer.close()
        return published, consumed

    async def _publish(self, publisher: Publisher, events: list[Outgoing]) -> None:
        for start in range(0, len(events), TOGETHER):
            part = events[start : start + TOGETHER]
            messages = [Message(event.id, event.type, event.body) for event in part]
            receipt = await publisher.publish(EXCHANGE, messages, seconds=30)
            assert len(receipt.delivered) == len(part)

    async def _consume(self, consumer: Consumer, left: int) -> None:
        while left > 0:
            batch = await consumer.batch(TOGETHER, 0.1)
            consumer.acknowledge(batch[-1])
            left -= len(batch)


@dataclass
class Whole:
    """Commit with outbox, relay, lane, inbox and effect."""

    commit: int
    """Events a transaction."""
    at_once: int = 1
    """Transactions at once, as of requests; four have a connection."""

    @property
    def name(self) -> str:
        """With the size of a commit."""
        return f"flotilla, {self.commit} a commit" + (f", {self.at_once} at once" if self.at_once > 1 else "")

    async def run(self, bench: Bench) -> tuple[Measured, Measured]:
        """One process publishes; it ends, and another consumes."""
        settings = settings_for(service, bench.instance, {})
        events = bench.samples()
        async with opened(service, settings) as app:
            relay = asyncio.create_task(app.relay.run())

            parts = [events[start : start + self.commit] for start in range(0, len(events), self.commit)]

            async def commit_each(own: list[list[ContactCreated]]) -> None:
                for part in own:
                    await commit(part)

            async def publish() -> None:
                shares = [parts[first :: self.at_once] for first in range(self.at_once)]
                await asyncio.gather(*map(commit_each, shares))
                await app.relay.drained(60)

            async def commit(part: list[ContactCreated]) -> None:
                async with app.db.transaction(bench.org, cause=Cause.fresh("service:bench")) as tx:
                    await tx.execute(EFFECTS, bench.org, [event.contact_id for event in part])
                    for event in part:
                        tx.emit(event, org=bench.org, sequence=1)

            published = await bench.measure(publish)
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
            assert await app.db.fetchval("SELECT count(*) FROM outbox") == 0
        async with opened(service, settings) as app, working(app):
            wanted = HANDLED._value.get() + len(events)
            consumed = await bench.measure(lambda: self._until(wanted))
            async with app.db.transaction(bench.org) as tx:
                assert await tx.fetchval("SELECT count(*) FROM applied") == 2 * len(events)
        return published, consumed

    async def _until(self, wanted: float) -> None:
        while HANDLED._value.get() < wanted:  # noqa: ASYNC110 - the counter is what everyone else reads too
            await asyncio.sleep(0.002)
