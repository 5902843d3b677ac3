"""The short way: that plain requests take it, and that nothing is lost where it becomes a long one.

What holds on both ways alike is tested without naming one: `world` warms its services, so that these tests meet the
short way first.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.security.revocations import key as revocation_key
from flotilla.testing import eventually
from flotilla_gateway.edge.protocol import EdgeProtocol
from flotilla_gateway.limits.limiter import Decision, Question
from flotilla_gateway.policy import Policy
from redis.asyncio import Redis

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask, connected, request
from services.gateway.tests.scripted import Request, answering, ok
from services.gateway.tests.test_observing import lines_of
from services.gateway.tests.world import World, counted


def in_flight(edge: World) -> int:
    """Connections to the service that most tests use, which somebody has."""
    return edge.gateway.upstreams["things"].in_flight


async def test_plain_requests_go_the_short_way(edge: World) -> None:
    token = edge.token()
    with counted() as ways:
        for method, path, body in (
            ("GET", "/v1/things", None),
            ("POST", "/v1/things", b"{}"),
            ("DELETE", "/v1/things/1", None),
            ("GET", "/v1/open", None),
        ):
            assert (await ask(edge.port, method, path, token=token, body=body)).status == 200
    assert ways == [True] * 4
    assert [line["status"] for line in lines_of(edge)] == [200] * 4
    assert in_flight(edge) == 0


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("HEAD", "/v1/things", ()),
        ("GET", "/healthz", ()),
        ("GET", "/v1/unknown", ()),
        ("OPTIONS", "/v1/things", ()),
        ("PATCH", "/v1/things", ()),
        ("POST", "/v1/sign-in", ("x-session: cookie",)),
    ],
)
async def test_others_go_the_long_way(edge: World, method: str, path: str, headers: tuple[str, ...]) -> None:
    with counted() as ways:
        await ask(edge.port, method, path, *headers, token=edge.token())
    assert ways == [False]


async def test_what_is_sampled_goes_the_long_way(start_world: StartWorld) -> None:
    async with start_world(trace_ratio=1.0) as edge:
        await ask(edge.port, "GET", "/v1/things", token=edge.token())
        (line,) = lines_of(edge)
        assert (edge.things.requests[0].header("traceparent") or "").split("-")[1] == line["trace_id"]


async def test_a_body_that_is_not_here_yet_goes_the_long_way(edge: World) -> None:
    with counted() as ways:
        async with connected(edge.port) as caller:
            await caller.say(request("POST", "/v1/open", "content-length: 4") + b"ab")
            await eventually(lambda: _true(ways))
            await caller.say(b"cd")
            assert (await caller.answer()).body == b"4"
    assert ways == [False]


async def test_requests_at_once_are_answered_in_their_order(edge: World) -> None:
    async def name(passed: Request, writer: asyncio.StreamWriter) -> None:
        said = passed.target.encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said))

    edge.things.script = name
    targets = [f"/v1/open?n={number}" for number in range(20)]
    async with connected(edge.port) as caller:
        await caller.say(b"".join(request("GET", target) for target in targets))
        assert [(await caller.answer()).body.decode() for _ in targets] == targets


async def test_a_connection_that_is_taken_meanwhile(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis was asked and has counted it: it is not asked again."""
    asked: list[Question] = []
    ask_limiter = edge.gateway.limiter.ask

    def watched(question: Question, then: Callable[[Decision], None]) -> None:
        asked.append(question)
        edge.gateway.upstreams["things"]._drop_idle()
        ask_limiter(question, then)

    monkeypatch.setattr(edge.gateway.limiter, "ask", watched)
    with counted() as ways:
        answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
    assert (answer.status, ways, len(asked)) == (200, [True], 1)
    assert (answer.header("ratelimit") or "").startswith('"session";r=1199;')
    assert edge.things.connections == 2


async def test_a_session_that_was_revoked(edge: World) -> None:
    session = str(new_id())
    token = edge.token(sid=session)
    async with Redis.from_url(Instance.load("test").redis_url) as redis:
        assert (await ask(edge.port, "GET", "/v1/things", token=token)).status == 200
        await redis.set(revocation_key(session), b"1", ex=60)
        with counted() as ways:
            answer = await ask(edge.port, "GET", "/v1/things", token=token)
    assert (answer.status, ways) == (401, [True])
    assert answer.header("www-authenticate") == "Bearer"
    assert len(edge.things.requests) == 1


async def test_redis_goes_while_it_is_asked(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = edge.gateway.limiter._pipe._wire
    assert wire is not None
    lost = wire.transport
    monkeypatch.setattr(wire, "transport", _Mute(lost))
    asked = [asyncio.create_task(ask(edge.port, "GET", "/v1/things", token=edge.token())) for _ in range(3)]
    await eventually(lambda: _true(len(wire._pending) == 3))
    lost.abort()
    answers = await asyncio.gather(*asked)
    assert [answer.status for answer in answers] == [200] * 3
    assert [answer.header("ratelimit") for answer in answers] == [None] * 3


class _Mute:
    """Takes what is written, and passes nothing on: Redis hangs."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Lost."""

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def abort(self) -> None:
        """The end."""
        self._transport.abort()


async def test_a_caller_that_leaves_has_the_service_left_too(edge: World) -> None:
    async def wait(passed: Request, writer: asyncio.StreamWriter) -> None:
        await passed.reader.read()

    edge.things.script = wait
    with counted() as ways:
        async with connected(edge.port) as caller:
            await caller.say(request("GET", "/v1/things", token=edge.token()))
            await eventually(lambda: _true(edge.things.requests))
    await eventually(lambda: _true(edge.things.closed == 1 and not in_flight(edge)))
    assert ways == [True]
    assert [line["status"] for line in lines_of(edge)] == [499]
    edge.things.script = ok
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200


async def test_a_caller_that_leaves_before_redis_has_answered(
    edge: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_limiter = edge.gateway.limiter.ask
    held: list[Callable[[], None]] = []

    def hold(question: Question, then: Callable[[Decision], None]) -> None:
        ask_limiter(question, lambda decision: held.append(partial(then, decision)))

    monkeypatch.setattr(edge.gateway.limiter, "ask", hold)
    async with connected(edge.port) as caller:
        await caller.say(request("GET", "/v1/things", token=edge.token()))
        await eventually(lambda: _true(held))
    await eventually(lambda: _true(not edge.gateway.connections))
    for go_on in held:
        go_on()
    assert [line["status"] for line in lines_of(edge)] == [499]
    assert not edge.things.requests


async def test_a_large_answer_to_a_slow_reader(edge: World) -> None:
    size = 32 * 1024 * 1024
    edge.things.script = answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
    with counted() as ways:
        async with connected(edge.port) as caller:
            await caller.say(request("GET", "/v1/things", token=edge.token()))
            await eventually(lambda: _true(any(each.flow.write_paused for each in edge.gateway.connections)))
            assert (await caller.answer()).body == b"x" * size
    assert ways == [True]
    assert [line["sent"] for line in lines_of(edge)] == [size]
    assert in_flight(edge) == 0


async def test_a_mistake_of_the_gateways_own(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in ("admit", "request", "response_lines"):
        with monkeypatch.context() as patched, counted() as ways:
            patched.setattr(Policy, step, None)
            answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
        assert (answer.status, answer.json()["type"], ways) == (500, "/problems/internal", [True])
        assert in_flight(edge) == 0
    assert [line["status"] for line in lines_of(edge)] == [500] * 3
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200


async def test_a_process_that_stops_waits_no_longer(edge: World) -> None:
    async def wait(passed: Request, writer: asyncio.StreamWriter) -> None:
        await passed.reader.read()

    edge.things.script = wait
    async with connected(edge.port) as caller:
        await caller.say(request("GET", "/v1/things", token=edge.token()))
        await eventually(lambda: _true(edge.things.requests))
        for upstream in edge.gateway.upstreams.values():
            upstream.close()
        assert await caller.closed()
    assert [line["status"] for line in lines_of(edge)] == [499]


async def test_nothing_is_begun_behind_a_refusal(edge: World) -> None:
    began: list[object] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(EdgeProtocol, "_start", lambda self: began.append(self))
        async with connected(edge.port) as caller:
            fields = [f"x-{number}: a" for number in range(200)]
            await caller.say(request("GET", "/v1/open", *fields) + request("GET", "/v1/open"))
            assert (await caller.answer()).status == 431
            assert await caller.closed()
    assert not began


async def _true(value: object) -> bool:
    return bool(value)
