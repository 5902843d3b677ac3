"""What the gateway spends on a request, and on callers that send more than they are answered."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from flotilla.instance import Instance
from flotilla.testing import eventually

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask, connected, request
from services.gateway.tests.scripted import Request, ok
from services.gateway.tests.world import World

COMMAND = re.compile(rb"(?:^|\r\n)\*\d+\r\n")
"""Where one begins, as Redis's protocol writes it."""


@asynccontextmanager
async def overheard(said: list[bytes]) -> AsyncIterator[str]:
    """The address of Redis through a relay that keeps what it is asked."""
    url = Instance.load("test").redis_url
    behind = urlsplit(url).port or 6379

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asks = await asyncio.open_connection("127.0.0.1", behind)
        back = asyncio.create_task(_pass(answers, writer, []))
        await _pass(reader, asks, said)
        back.cancel()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield url.replace(f":{behind}", f":{port}")
    finally:
        server.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: list[bytes]) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            kept.append(data)
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_limit_revocation_and_block_are_one_question(start_world: StartWorld) -> None:
    said: list[bytes] = []
    async with overheard(said) as url, start_world(redis_url=url, limiter_seconds=5) as edge:
        token = edge.token()
        assert (
            await ask(edge.port, "GET", "/v1/things", token=token)
        ).status == 200  # The script is there now.
        for _ in range(3):
            said.clear()
            answer = await ask(edge.port, "GET", "/v1/things", token=token)
            assert (answer.status, answer.header("ratelimit") is not None) == (200, True)
            (question,) = said
            assert len(COMMAND.findall(question)) == 1
            assert b"EVALSHA" in question
            assert b"gateway:limit:session:" in question
            assert b"gateway:ended:" in question


async def test_who_sends_many_requests_at_once_is_read_no_further_until_they_are_answered(
    edge: World,
) -> None:
    one = request("GET", "/v1/open")
    at_once = 1_500_000 // len(one)
    waiting: list[int] = []

    async def count(passed: Request, writer: asyncio.StreamWriter) -> None:
        waiting.extend(len(each.pipeline) for each in edge.gateway.connections)
        await ok(passed, writer)

    edge.things.script = count
    async with connected(edge.port) as caller:
        caller.writer.write(one * at_once)
        await eventually(lambda: _many(waiting), seconds=30)
    assert max(waiting) < at_once / 2, "else they pile up here, one reading for each that is answered"


async def _many(waiting: list[int]) -> bool:
    return len(waiting) > 30
