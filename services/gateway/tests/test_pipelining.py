"""Requests that come before the ones ahead of them are answered: in order, and only for who takes the answers."""

import asyncio

import pytest
from flotilla.testing import eventually

from services.gateway.tests.raw import connected, narrow, request
from services.gateway.tests.world import World

MANY = 3000
"""Requests whose answers are several times what `narrow` lets wait outside the gateway."""
HANDSHAKE = request("GET", "/v1/live", "connection: upgrade", "upgrade: websocket", "sec-websocket-key: x")


async def test_who_asks_on_and_reads_nothing_waits(edge: World) -> None:
    def waits() -> bool:
        running = client._running
        return bool(client.pipeline) and running is not None and running.response_complete

    async with connected(edge.port) as caller:
        client = await edge.side_of(caller)
        narrow(caller.writer)
        narrow(client.transport)
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        asked = [request("GET", "/v1/unknown", f"x-request-id: number-{each}") for each in range(MANY)]
        saying = asyncio.create_task(caller.say(b"".join(asked)))
        await eventually(lambda: _true(waits()), what="the next is not begun")
        assert client.transport.get_write_buffer_size() < 1 << 20
        caller.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for number in range(MANY):
            answer = await caller.answer()
            assert (answer.status, answer.header("x-request-id")) == (404, f"number-{number}")
        await saying


@pytest.mark.parametrize("rest", [b"no request\r\n\r\n", HANDSHAKE], ids=["garbage", "handshake"])
async def test_nothing_goes_before_the_answer_of_one_that_waits(edge: World, rest: bytes) -> None:
    async with connected(edge.port) as caller:
        await caller.say(request("GET", "/v1/unknown"))
        assert (await caller.answer()).status == 404
        client = await edge.side_of(caller)
        client.pause_writing()  # As the transport says it of a caller that does not read.
        await caller.say(request("GET", "/v1/unknown") + rest)
        assert await asyncio.wait_for(caller.reader.read(), 15) == b""


async def test_one_that_waits_is_answered_before_the_process_ends(edge: World) -> None:
    async with connected(edge.port) as caller:
        await caller.say(request("GET", "/v1/unknown"))
        assert (await caller.answer()).status == 404
        client = await edge.side_of(caller)
        client.pause_writing()
        await caller.say(request("GET", "/v1/unknown"))
        await eventually(lambda: _true(client.pipeline))
        client.shutdown()
        client.resume_writing()
        answer = await caller.answer()
        assert (answer.status, answer.header("connection")) == (404, "close")
        assert await caller.closed()


async def _true(value: object) -> bool:
    return bool(value)
