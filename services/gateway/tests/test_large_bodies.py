"""Large bodies pass through without staying: the process needs no more memory for them than for small ones.

`FLOTILLA_BODY_MIB=1024 pytest …/test_large_bodies.py` passes a gibibyte in each direction.
"""

import asyncio
import os
from pathlib import Path

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import connected, request
from services.gateway.tests.scripted import Request

SIZE = int(os.environ.get("FLOTILLA_BODY_MIB", "64")) << 20
PIECE = b"x" * (1 << 20)
GROWTH = SIZE // 2
"""Buffers of four sockets and of the parsers, as the machine has them; a body that stayed would be twice as large."""
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


async def test_a_large_body_to_a_service(start_world: StartWorld) -> None:
    taken, most = 0, 0

    async def take(passed: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal taken, most
        while taken < SIZE:
            taken += len(await passed.reader.read(1 << 20))
            most = max(most, resident())
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with start_world(body_bytes=SIZE) as edge, connected(edge.port) as caller:
        edge.things.script = take
        before = resident()
        await caller.say(request("POST", "/v1/things", f"content-length: {SIZE}", token=edge.token()))
        for _ in range(SIZE >> 20):
            await caller.say(PIECE)
        assert (await caller.answer()).status == 204
    assert taken == SIZE
    assert most - before < GROWTH


async def test_a_large_answer_to_a_caller(start_world: StartWorld) -> None:
    async def give(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE >> 20):
            writer.write(PIECE)
            await writer.drain()

    async with start_world() as edge, connected(edge.port) as caller:
        edge.things.script = give
        await caller.say(request("GET", "/v1/things", token=edge.token()))
        await caller.reader.readuntil(b"\r\n\r\n")
        before = most = resident()
        taken = 0
        while taken < SIZE:
            taken += len(await caller.reader.read(1 << 20))
            most = max(most, resident())
    assert most - before < GROWTH
