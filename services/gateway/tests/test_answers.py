"""Whatever a service answers: its caller gets what the bytes mean, or is told that they mean nothing; nobody else gets
any of it. `FLOTILLA_FUZZ` as in test_smuggling.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.tests import strict
from services.gateway.tests.raw import Answer, connected, request
from services.gateway.tests.streams import one_of
from services.gateway.tests.strict import MalformedError, Message
from services.gateway.tests.test_smuggling import PROFILE
from services.gateway.tests.world import World, counted, world

SECONDS = 0.3
"""How long a service may take: one that says half an answer and waits is given up then."""
PATIENCE = 20
EVIL = b"stolen"


@dataclass(repr=False)
class Liar:
    """A service that answers `/v1/things/<anything>` with the bytes it was given, and others plainly."""

    said: bytes = b""
    cuts: tuple[int, ...] = ()
    closes: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        data = b""
        with suppress(ConnectionError):
            while part := await reader.read(65_536):
                data += part
                while message := strict.request(data):
                    data = data[message.used :]
                    if message.start[1].startswith("/v1/things/"):
                        await self._lie(writer)
                    else:
                        body = message.start[1].encode()
                        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
                        await writer.drain()
        writer.close()

    async def _lie(self, writer: asyncio.StreamWriter) -> None:
        at = 0
        for cut in (*self.cuts, len(self.said)):
            writer.write(self.said[at : at + cut])
            await writer.drain()
            at += cut
        if self.closes:
            writer.close()


@pytest.fixture(scope="module", params=[True, False], ids=["short way", "long way"])
async def lied_to(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Liar]]:
    """A gateway before it."""
    express: bool = request.param
    folder: Path = tmp_path_factory.mktemp("answers")
    liar = Liar()
    service = await asyncio.start_server(liar.serve, "127.0.0.1", 0)
    port = service.sockets[0].getsockname()[1]
    times = {"upstream_answer_seconds": SECONDS, "upstream_silence_seconds": SECONDS}
    async with world(folder, upstreams=f"things=http://127.0.0.1:{port}", express=express, **times) as edge:
        with counted() as ways:
            yield edge, liar
        assert any(ways) == express, "what goes the short way is looked at too"
    service.close()


LINES = one_of(
    *[b"HTTP/1.1 200 OK\r\n"] * 8,
    *(
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 304 X\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 404 \r\n",
        b"HTTP/1.1 200\r\n",
    ),
    *(
        b"HTTP/1.1 099 X\r\n",
        b"HTTP/1.1 999 X\r\n",
        b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n",
        b"HTTP/2 200 OK\r\n",
    ),
    *(
        b"200 OK\r\n",
        b"",
        b"HTTP/1.1 2\xb2 OK\r\n",
        b"HTTP/1.1 200 OK\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
    ),
)
FIELDS = one_of(
    *(
        b"x-own: a",
        b"connection: close",
        b"connection: keep-alive, x-own",
        b"set-cookie: a=b",
        b"x-own: \xff",
    ),
    *(
        b"flotilla-principal: stolen",
        b"x own: a",
        b"x-own: a\0b",
        b"x-own: a\rb",
        b": a",
        b"x-own",
        b" folded: a",
        b"x-own: a\r\n b",
    ),
    *(b"content-type: text/event-stream", b"trailer: x-own", b"keep-alive: timeout=1", b"upgrade: h2c"),
)
FRAMES = one_of(
    *[b"content-length: %d"] * 6,
    *[b"transfer-encoding: chunked"] * 4,
    *(
        b"content-length: %d\r\ncontent-length: 1%d",
        b"content-length: -%d",
        b"content-length: +%d",
        b"content-length: 9%d",
    ),
    *(
        b"content-length: %d\r\ntransfer-encoding: chunked",
        b"transfer-encoding: gzip",
        b"x-none: 1",
        b"content-length : %d",
    ),
    *(
        b"transfer-encoding: chunked, chunked",
        b"content-length: 99999999999999999999%d",
        b"content-length: 0x%x",
    ),
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """One, well-formed or nearly so, with or without something behind it."""
    body = draw(st.binary(max_size=50) | st.just(b"a" * 70_000))
    frame = draw(FRAMES)
    fields = [*draw(st.lists(FIELDS, max_size=2)), frame % ((len(body),) * frame.count(b"%"))]
    head = draw(LINES) + b"".join(field + b"\r\n" for field in draw(st.permutations(fields))) + b"\r\n"
    if b"chunked" in frame:
        sizes = draw(one_of(*[b"%x\r\n"] * 6, b"%x;a=b\r\n", b"-%x\r\n", b"%x\n", b"0x%x\r\n"))
        chunk = sizes % len(body) + body + b"\r\n" if body else b""
        body = chunk + draw(one_of(*[b"0\r\n\r\n"] * 6, b"0\r\nx-late: 1\r\n\r\n", b"0\r\n", b"", b"0\n\n"))
    whole = head + body
    ends = draw(st.integers(0, 5))
    if ends == 0:
        return whole[: draw(st.integers(0, len(whole)))]
    behind = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n" + EVIL
    return whole + (behind if ends == 1 else b"")


NUMBERS = count(1)


@given(said=answers(), cuts=st.lists(st.integers(1, 90), max_size=3).map(tuple), closes=st.booleans())
@PROFILE
@pytest.mark.asyncio(loop_scope="session")
async def test_a_caller_gets_what_was_meant_and_nobody_else_any_of_it(
    lied_to: tuple[World, Liar], said: bytes, cuts: tuple[int, ...], closes: bool
) -> None:
    edge, liar = lied_to
    liar.said, liar.cuts, liar.closes = said, cuts, closes
    try:
        meant = strict.response(said, ended=closes)
        malformed = False
    except MalformedError:
        meant, malformed = None, True
    try:
        answer = await _asked(edge, "/v1/things/1")
    except TimeoutError:
        raise AssertionError(f"it hangs: {said[:300]!r} cut {cuts}, closes {closes}") from None
    told = f"{said[:300]!r} closes {closes}\n meant {meant}\n answered {answer}"
    names = {name for name, _ in answer.headers}
    assert not names & {"flotilla-principal", "keep-alive", "x own", "trailer"}, told
    _check(answer, meant, told, malformed=malformed)
    for upstream in edge.gateway.upstreams.values():
        upstream.breaker.succeeded()
    number = next(NUMBERS)
    for each in range(2):
        other = await _asked(edge, f"/v1/things?n={number}.{each}")
        while other.status == 504:  # A machine that stands still for a moment is no finding.
            other = await _asked(edge, f"/v1/things?n={number}.{each}")
        assert other.body == f"/v1/things?n={number}.{each}".encode(), told


def _check(answer: Answer, meant: Message | None, told: str, *, malformed: bool) -> None:
    if answer.status in (502, 504):
        return
    assert answer.broken or meant is not None or malformed, told
    if meant is not None and not answer.broken:
        assert str(answer.status) == meant.start[0], told
        assert answer.body == meant.body, told


async def _asked(edge: World, target: str) -> Answer:
    async with asyncio.timeout(PATIENCE), connected(edge.port) as caller:
        await caller.say(request("GET", target, token=edge.token()))
        return await caller.answer()
