"""Consuming from the real broker, and from one that does what a real one does seldom."""

import asyncio
from collections.abc import AsyncIterator

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from flotilla.bus.wire import heartbeat
from flotilla.bus.wire.consumer import Consumer
from flotilla.bus.wire.errors import CancelledByBrokerError, LostError, RefusedError, WireError
from flotilla.bus.wire.frames import Message
from flotilla.bus.wire.publisher import Publisher
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from pamqp import commands

from libs.common.tests.bus.proxies import mute_proxy
from libs.common.tests.bus.wire.broker import ScriptedBroker, delivery, scripted

QUEUE = "wire.test"
LONG = 10.0


@pytest.fixture
async def channel(still: Harness) -> AsyncIterator[AbstractChannel]:
    """A queue like a lane's, and a way to fill it."""
    async with await aio_pika.connect(still.instance.amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        yield channel
        await channel.queue_delete(QUEUE)


async def fill(channel: AbstractChannel, *bodies: bytes) -> None:
    for each in bodies:
        await channel.default_exchange.publish(aio_pika.Message(each, delivery_mode=2), QUEUE)


def numbered(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


async def test_a_batch_is_full_or_as_old_as_it_may_be(still: Harness, channel: AbstractChannel) -> None:
    await fill(channel, *numbered(*range(7)))
    consumer = await Consumer.open(still.instance.amqp_url, QUEUE, prefetch=10)
    first = await consumer.batch(5, LONG)
    second = await consumer.batch(5, 1.0)
    assert [each.body for each in first + second] == numbered(*range(7))
    assert [(each.tag, each.before) for each in first + second] == [(tag, 0) for tag in range(1, 8)]
    consumer.acknowledge(first[-1])
    await consumer.close()
    again = await Consumer.open(still.instance.amqp_url, QUEUE, prefetch=10)
    back = await again.batch(2, LONG)
    assert [(each.before, each.body) for each in back] == [(1, b"5"), (1, b"6")]
    again.acknowledge(back[-1])
    await again.close()
    assert (await channel.declare_queue(QUEUE, passive=True)).declaration_result.message_count == 0


async def test_no_more_than_the_prefetch_is_held(still: Harness, channel: AbstractChannel) -> None:
    await fill(channel, *numbered(*range(9)))
    consumer = await Consumer.open(still.instance.amqp_url, QUEUE, prefetch=4)
    held = await consumer.batch(9, 1.0)
    assert len(held) == 4
    consumer.acknowledge(held[-1])
    assert [each.body for each in await consumer.batch(4, LONG)] == numbered(4, 5, 6, 7)
    await consumer.close()


async def test_a_message_of_many_frames_is_delivered_whole(still: Harness, channel: AbstractChannel) -> None:
    big = bytes(range(256)) * 3000
    await fill(channel, b"before", big, b"after")
    consumer = await Consumer.open(still.instance.amqp_url, QUEUE, prefetch=10)
    assert [each.body for each in await consumer.batch(3, LONG)] == [b"before", big, b"after"]
    await consumer.close()


async def test_a_queue_that_goes_away_ends_its_consumer(still: Harness, channel: AbstractChannel) -> None:
    consumer = await Consumer.open(still.instance.amqp_url, QUEUE, prefetch=10)
    waiting = asyncio.create_task(consumer.batch(5, LONG))
    await channel.queue_delete(QUEUE)
    with pytest.raises(CancelledByBrokerError):
        await waiting
    await consumer.close()


async def test_who_stops_gets_what_has_come(still: Harness, channel: AbstractChannel) -> None:
    await fill(channel, b"only")
    consumer = await Consumer.open(still.instance.amqp_url, QUEUE, prefetch=10)
    waiting = asyncio.create_task(consumer.batch(5, LONG))

    async def came() -> bool:
        return bool(consumer._ready)

    await eventually(came)
    consumer.stop()
    assert [each.body for each in await waiting] == [b"only"]
    assert await consumer.batch(5, LONG) == []
    await consumer.close()


async def test_what_does_not_exist_or_is_forbidden_is_said(still: Harness) -> None:
    url = still.instance.amqp_url
    with pytest.raises(RefusedError, match="404 NOT_FOUND"):
        await Consumer.open(url, "no.such.queue", prefetch=1)
    with pytest.raises(RefusedError, match="403 ACCESS_REFUSED"):
        await Consumer.open(url.replace("flotilla:", "flotilla:wrong", 1), QUEUE, prefetch=1)
    publisher = await Publisher.open(url, "test")
    message = Message(new_id(), "key", b"body")
    receipt = await publisher.publish("no.such.exchange", [message], seconds=LONG)
    assert receipt.unanswered == 1
    assert "404 NOT_FOUND" in receipt.reason
    await publisher.close()


async def test_a_broker_that_falls_silent_is_given_up(
    still: Harness, channel: AbstractChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half open: its address takes what is sent, nothing comes back."""
    monkeypatch.setattr(heartbeat, "SECONDS", 1)
    async with mute_proxy(still.instance) as (url, mute):
        consumer = await Consumer.open(url, QUEUE, prefetch=10)
        mute.set()
        loop = asyncio.get_running_loop()
        since = loop.time()
        with pytest.raises(LostError, match="heartbeat"):
            await consumer.batch(5, LONG)
        assert 1 <= loop.time() - since < LONG, (
            "within about two heartbeats, and long before a batch is as old as it may be"
        )
        monkeypatch.setattr("flotilla.bus.wire.connection.CLOSE_SECONDS", 0.2)
        await consumer.close()


async def test_an_idle_client_says_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS", 1)
    heard = asyncio.Event()

    async def script(broker: ScriptedBroker) -> None:
        await broker.let_consume()
        for _ in range(5):  # it is answered, or it would give up
            await broker.read_heartbeat()
            broker.writer.write(b"\x08\x00\x00\x00\x00\x00\x00\xce")
        heard.set()

    async with scripted(script) as url:
        consumer = await Consumer.open(url, QUEUE, prefetch=10)
        async with asyncio.timeout(LONG):
            await heard.wait()
        assert consumer.error is None
        await consumer.close()


async def test_a_lost_connection_keeps_nothing_that_will_come_again() -> None:
    async def script(broker: ScriptedBroker) -> None:
        await broker.let_consume()
        broker.writer.write(delivery(1, b"one"))
        broker.say(commands.Connection.Close(320, "CONNECTION_FORCED - shutdown", 0, 0), channel=0)
        assert isinstance(await broker.read(), commands.Connection.CloseOk)

    async with scripted(script) as url:
        consumer = await Consumer.open(url, QUEUE, prefetch=10)

        async def ended() -> bool:
            return consumer.error is not None

        await eventually(ended)
        with pytest.raises(RefusedError, match="320 CONNECTION_FORCED"):
            await consumer.batch(5, LONG)
        await consumer.close()


async def test_a_silent_stranger_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flotilla.bus.wire.connection.OPEN_SECONDS", 0.2)

    async def script(broker: ScriptedBroker) -> None:
        pass

    async with scripted(script) as url:
        with pytest.raises(TimeoutError):
            await Consumer.open(url, QUEUE, prefetch=10)


async def test_an_answer_to_another_question_is_refused_and_nothing_is_left_open() -> None:
    left = asyncio.Event()

    async def script(broker: ScriptedBroker) -> None:
        await broker.shake_hands()
        await broker.asked(commands.Basic.Qos, commands.Queue.DeleteOk(1))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await broker.read()
        left.set()

    async with scripted(script) as url:
        with pytest.raises(WireError):
            await Consumer.open(url, QUEUE, prefetch=10)
        async with asyncio.timeout(LONG):
            await left.wait()
