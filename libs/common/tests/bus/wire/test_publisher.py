"""Publishing: what the broker took, what it refused or gave back, and what nobody knows."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from flotilla.bus.wire import publisher as publishing
from flotilla.bus.wire.connection import WRITE_BUFFER
from flotilla.bus.wire.errors import RefusedError, WireError
from flotilla.bus.wire.frames import CHANNEL, Message
from flotilla.bus.wire.publisher import Flight, Publisher, Receipt
from flotilla.ids import new_id
from flotilla.testing import eventually
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands

from libs.common.tests.bus.wire.broker import Script, ScriptedBroker, returned, scripted

SHORT, LONG = 0.3, 10


def messages(number: int, size: int = 10) -> list[Message]:
    return [Message(new_id(), "task.created.v1", b"x" * size) for _ in range(number)]


@asynccontextmanager
async def publisher_to(script: Script) -> AsyncIterator[Publisher]:
    """A publisher whose broker follows the script once it is let publish."""

    async def follow(broker: ScriptedBroker) -> None:
        await broker.let_publish()
        await script(broker)

    async with scripted(follow) as url:
        publisher = await Publisher.open(url, "test")
        try:
            yield publisher
        finally:
            await publisher.close()


def narrow(end: asyncio.BaseTransport | asyncio.StreamWriter) -> None:
    """Have this end of a connection hold little, however large the buffers are that a machine lets grow."""
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, buffer, 1 << 17)


async def publish(publisher: Publisher, batch: list[Message], seconds: float = LONG) -> Receipt:
    return await publisher.publish("exchange", batch, seconds=seconds)


async def test_confirms_of_one_and_of_many_in_any_order() -> None:
    async def script(broker: ScriptedBroker) -> None:
        for _ in range(6):
            await broker.read_message()
        broker.say(commands.Basic.Ack(5), commands.Basic.Ack(3, True), commands.Basic.Ack(6, True))
        for _ in range(2):
            await broker.read_message()
        broker.say(commands.Basic.Ack(8, True))

    async with publisher_to(script) as publisher:
        assert await publish(publisher, messages(6)) == Receipt([0, 1, 2, 3, 4, 5], 0, 0, "")
        assert await publish(publisher, messages(2)) == Receipt([0, 1], 0, 0, "")
        assert await publish(publisher, []) == Receipt([], 0, 0, "")


async def test_what_is_refused_or_given_back_is_not_delivered() -> None:
    async def script(broker: ScriptedBroker) -> None:
        ids = [(await broker.read_message())[0] for _ in range(4)]
        broker.writer.write(returned(ids[2]))
        broker.say(commands.Basic.Ack(1), commands.Basic.Nack(2), commands.Basic.Ack(4, True))

    async with publisher_to(script) as publisher:
        receipt = await publish(publisher, messages(4))
    assert (receipt.delivered, receipt.refused, receipt.unanswered) == ([0, 3], 2, 0)


async def test_a_late_confirm_is_taken_for_no_other() -> None:
    late = asyncio.Event()

    async def script(broker: ScriptedBroker) -> None:
        for _ in range(2):
            await broker.read_message()
        await late.wait()
        broker.say(commands.Basic.Ack(1), commands.Basic.Nack(2))
        await broker.read_message()
        broker.say(commands.Basic.Ack(3))

    async with publisher_to(script) as publisher:
        assert (await publish(publisher, messages(2), SHORT)).unanswered == 2
        late.set()
        assert (await publish(publisher, messages(1))).delivered == [0]


async def test_two_batches_at_once_have_their_own_answers() -> None:
    async def script(broker: ScriptedBroker) -> None:
        for _ in range(5):
            await broker.read_message()
        broker.say(commands.Basic.Nack(4), commands.Basic.Ack(5, True))

    async with publisher_to(script) as publisher:
        first, second = await asyncio.gather(publish(publisher, messages(3)), publish(publisher, messages(2)))
    assert (first.delivered, second.delivered, second.refused) == ([0, 1, 2], [1], 1)


@pytest.mark.parametrize(
    ("stop", "go"),
    [
        (commands.Connection.Blocked("memory"), commands.Connection.Unblocked()),
        (commands.Channel.Flow(False), commands.Channel.Flow(True)),
    ],
)
async def test_a_broker_that_can_take_no_more_is_given_no_more(
    stop: commands.Connection.Blocked, go: commands.Connection.Unblocked
) -> None:
    released = asyncio.Event()
    channel = 0 if isinstance(stop, commands.Connection.Blocked) else CHANNEL

    async def script(broker: ScriptedBroker) -> None:
        broker.say(stop, channel=channel)
        if channel:
            assert isinstance(await broker.read(), commands.Channel.FlowOk)
        await released.wait()
        broker.say(go, channel=channel)
        if channel:
            assert isinstance(await broker.read(), commands.Channel.FlowOk)
        # Had anything been written while it was told not to, it would be this.
        assert (await broker.read_message())[0] == str(batch[0].id)
        broker.say(commands.Basic.Ack(1))

    batch = messages(1)
    async with publisher_to(script) as publisher:

        async def held() -> bool:
            return bool(publisher._held_by)

        await eventually(held)
        assert (await publish(publisher, messages(1), SHORT)).unanswered == 1
        released.set()
        assert (await publish(publisher, batch)).delivered == [0]


async def test_a_broker_that_does_not_read_costs_a_bounded_buffer() -> None:
    ended = asyncio.Event()

    async def script(broker: ScriptedBroker) -> None:
        narrow(broker.writer)
        await ended.wait()

    async with publisher_to(script) as publisher:
        narrow(publisher._transport)
        batch = messages(400, 60_000)
        receipt = await publish(publisher, batch, SHORT)
        assert receipt.unanswered == 400
        waiting = publisher._transport.get_write_buffer_size()
        assert 0 < waiting <= WRITE_BUFFER + 2 * publishing.WRITE_BYTES
        assert (await publish(publisher, messages(1), SHORT)).unanswered == 1
        assert publisher._transport.get_write_buffer_size() == waiting
        ended.set()


async def test_a_body_larger_than_a_frame_arrives_whole() -> None:
    big = Message(new_id(), "key", bytes(range(256)) * 2000)

    async def script(broker: ScriptedBroker) -> None:
        assert await broker.read_message() == (str(big.id), big.body)
        broker.say(commands.Basic.Ack(1))

    async with publisher_to(script) as publisher:
        assert (await publish(publisher, [big])).delivered == [0]


async def test_a_channel_error_leaves_the_rest_unanswered_and_says_why() -> None:
    async def script(broker: ScriptedBroker) -> None:
        for _ in range(3):
            await broker.read_message()
        broker.say(commands.Basic.Ack(1), commands.Channel.Close(404, "NOT_FOUND - no exchange", 60, 40))
        assert isinstance(await broker.read(), commands.Channel.CloseOk)

    async with publisher_to(script) as publisher:
        receipt = await publish(publisher, messages(3))
        assert (receipt.delivered, receipt.unanswered) == ([0], 2)
        assert "404 NOT_FOUND" in receipt.reason
        with pytest.raises(RefusedError):
            await publish(publisher, messages(1))


@pytest.mark.parametrize("lie", [b"\x00" * 16, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_broker_that_speaks_no_amqp_is_left(lie: bytes) -> None:
    async def script(broker: ScriptedBroker) -> None:
        await broker.read_message()
        broker.writer.write(lie)

    async with publisher_to(script) as publisher:
        receipt = await publish(publisher, messages(1))
        assert receipt.unanswered == 1
        assert "MalformedError" in receipt.reason


async def test_a_cut_connection_is_noticed_at_once() -> None:
    async def script(broker: ScriptedBroker) -> None:
        await broker.read_message()
        broker.writer.transport.abort()

    async with publisher_to(script) as publisher:
        async with asyncio.timeout(LONG / 2):
            assert (await publish(publisher, messages(1))).unanswered == 1
        assert isinstance(publisher.error, WireError)


@settings(deadline=None)
@given(
    st.integers(1, 30),
    st.lists(st.tuples(st.integers(-3, 40), st.booleans(), st.booleans()), max_size=30),
)
async def test_answers_count_as_a_set_of_tags_would(number: int, said: list[tuple[int, bool, bool]]) -> None:
    """Against the plainest way to say it: the first word on each tag counts."""
    landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    flight = Flight(messages(number), landed, first_tag=5, written=number)
    expected: dict[int, bool] = {}
    for tag, multiple, acked in said:
        flight.answer(tag, multiple, acked)
        for each in range(5, 5 + number):
            if (each <= tag if multiple else each == tag) and each not in expected:
                expected[each] = acked
    receipt = flight.receipt()
    assert receipt.delivered == [tag - 5 for tag in sorted(expected) if expected[tag]]
    assert receipt.refused == sum(not acked for acked in expected.values())
    assert receipt.unanswered == number - len(expected) == flight.left
    assert landed.done() == (len(expected) == number)
