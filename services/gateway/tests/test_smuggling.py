"""What the gateway passes on is what the caller's bytes mean, or it is refused: on any bytes.

Streams of requests, some of them made as those that smuggle make them, go as raw bytes through the gateway to a service
that reads strictly (`strict`) and keeps everything. `FLOTILLA_FUZZ=20000 pytest …/test_smuggling.py` looks longer.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.tests import strict
from services.gateway.tests.raw import Answer, Caller, connected
from services.gateway.tests.streams import LIMIT, UNMARKED, requests
from services.gateway.tests.strict import MalformedError, Message
from services.gateway.tests.world import World, counted, world

EXAMPLES = int(os.environ.get("FLOTILLA_FUZZ", "60"))
"""On each of the two ways."""
SECONDS = 0.3
"""How long heads and bodies may take: streams that are no whole request end with that."""


@dataclass(repr=False)
class Recorder:
    """A service that answers what it understood, and keeps what it could not."""

    seen: list[Message] = field(default_factory=list)
    wrong: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        data = b""
        with suppress(ConnectionError):
            while part := await reader.read(65_536):
                data += part
                try:
                    while message := strict.request(data):
                        self.seen.append(message)
                        data = data[message.used :]
                        said = said_of(message.start[0], message.start[1], message.body)
                        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))
                except MalformedError:
                    self.wrong.append(data)
                    break
        writer.close()


def said_of(method: str, target: str, body: bytes) -> bytes:
    """What the service answers to a request."""
    return f"{method} {target} {hashlib.sha256(body).hexdigest()}".encode()


@pytest.fixture(scope="module", params=[True, False], ids=["short way", "long way"])
async def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Recorder]]:
    """A gateway before it."""
    express: bool = request.param
    folder: Path = tmp_path_factory.mktemp("smuggling")
    recorder = Recorder()
    service = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    port = service.sockets[0].getsockname()[1]
    times = {"head_seconds": SECONDS, "body_seconds": SECONDS, "stall_seconds": 5}
    before = f"things=http://127.0.0.1:{port}"
    async with world(folder, upstreams=before, body_bytes=LIMIT, express=express, **times) as edge:
        with counted() as ways:
            yield edge, recorder
        assert any(ways) == express, "what goes the short way is looked at too"
    service.close()


SENTINEL = b"GET /v1/open?e=00000000&n=last HTTP/1.1\r\nhost: gateway.test\r\n\r\n"
COUNTER = count(1)
"""Tells examples apart: of one that was cut off, the service may hear while the next is looked at."""
PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(stream=st.lists(requests(), min_size=1, max_size=3), cuts=st.lists(st.integers(1, 200), max_size=4))
@PROFILE
@pytest.mark.asyncio(loop_scope="session")
async def test_a_service_sees_what_the_bytes_mean_or_nothing(
    recorded: tuple[World, Recorder], stream: list[bytes], cuts: list[int]
) -> None:
    edge, recorder = recorded
    mark = b"e=%08d" % next(COUNTER)
    data = (b"".join(stream) + SENTINEL).replace(UNMARKED, mark)
    meant, whole = meaning(data)
    async with connected(edge.port) as caller:
        answers, closed = await talk(caller, data, cuts, len(meant) if whole else len(meant) + 1)
        if not (whole or closed):  # What is refused by its head alone is answered before the rest is here.
            closed = await caller.closed()
    passed = [message for message in recorder.seen if mark.decode() in message.start[1]]
    answered = [answer.body for answer in answers if answer.status == 200]
    told = f"{data!r}\n meant {meant}, whole {whole}\n passed {passed}\n answered {answers}, closed {closed}"
    assert not recorder.wrong, "what the gateway sends is well-formed itself"
    assert all(answer.status < 500 or answer.status == 505 for answer in answers), told
    assert not any(answer.broken for answer in answers), told
    assert (
        answered == [said_of(each.start[0], each.start[1], each.body) for each in passed][: len(answered)]
    ), told
    assert closed or len(answered) == len(passed), told
    check_order(passed, meant, told)
    assert all("forged" not in str(message.headers) for message in passed), told
    assert len(answers) <= len(meant) + 1, told
    if len(answers) < len(meant) or not whole:
        assert closed, told


def check_order(passed: list[Message], meant: list[Message], told: str) -> None:
    """Each request that was passed on is one that the caller meant, body and all; each at most once, in their order."""
    rest = iter(meant)
    for message in passed:
        for candidate in rest:
            target = candidate.start[1].removeprefix("http://gateway.test")
            if (candidate.start[0], target, candidate.body) == (*message.start[:2], message.body):
                break
        else:
            raise AssertionError(f"nobody meant {message.start}: {told}")


def meaning(data: bytes) -> tuple[list[Message], bool]:
    """The requests that these bytes are, and whether all of the bytes are requests."""
    meant: list[Message] = []
    while data:
        data = data.lstrip(b"\r\n")  # Empty lines before a request are passed over, whatever ends them (2.2).
        try:
            message = strict.request(data)
        except MalformedError:
            return meant, False
        if message is None:
            return meant, False
        meant.append(message)
        if message.closes:
            return meant, True
        data = data[message.used :]
    return meant, True


async def talk(caller: Caller, data: bytes, cuts: list[int], expected: int) -> tuple[list[Answer], bool]:
    """Say it in pieces; the final answers, and whether the gateway closed. Fails where it hangs."""
    at = 0
    with suppress(ConnectionError):
        for cut in [*cuts, len(data)]:
            await caller.say(data[at : at + cut])
            await asyncio.sleep(0)
            at += cut
    answers: list[Answer] = []
    try:
        while len(answers) < expected:
            answers.append(await caller.answer())
    except (asyncio.IncompleteReadError, ConnectionError):
        return answers, True
    last = answers[-1].header("connection") == "close" if answers else False
    return answers, last and await caller.closed()
