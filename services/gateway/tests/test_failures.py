"""What callers are told when a service is slow, dies, or talks nonsense; and that others go on."""

import asyncio
from collections import deque
from typing import Any

import pytest
from flotilla.testing import eventually
from flotilla_gateway.forward import upstream
from flotilla_gateway.forward.breaker import THRESHOLD

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask, connected, request
from services.gateway.tests.scripted import Request, answering, ok, scripted
from services.gateway.tests.world import World


@pytest.fixture(params=[True, False], ids=["short way", "long way"])
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Whatever happens is told alike on both."""
    return {"express": request.param}


async def test_a_service_that_dies_before_it_answers(edge: World) -> None:
    async def die(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.close()

    edge.things.script = die
    answer = await ask(edge.port, "POST", "/v1/things", token=edge.token(), body=b"{}")
    assert (answer.status, answer.json()["type"]) == (502, "/problems/bad-gateway")
    assert len(edge.things.requests) == 1, "a POST is never repeated"


@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
async def test_a_service_that_dies_in_the_middle_cuts_the_caller_off(edge: World, beginning: bytes) -> None:
    async def die(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        await writer.drain()
        writer.close()

    edge.things.script = die
    answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
    assert (answer.status, answer.body, answer.broken) == (200, b"half", True)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ],
)
async def test_a_service_that_talks_nonsense(edge: World, nonsense: bytes) -> None:
    edge.things.script = answering(nonsense)
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 502
    edge.things.script = ok
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200


async def test_more_than_was_asked_for_never_reaches_the_next_caller(edge: World) -> None:
    both = (
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nA"
        + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nSTOLEN"
    )
    edge.things.script = answering(both)
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).body == b"A"
    edge.things.script = ok
    answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
    assert b"STOLEN" not in answer.body
    assert answer.status == 200


@pytest.mark.parametrize("status", [204, 304])
async def test_a_body_where_there_is_none_does_not_keep_the_caller_waiting(edge: World, status: int) -> None:
    edge.things.script = answering(b"HTTP/1.1 %d X\r\ncontent-length: 9\r\n\r\nnot a body" % status)
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == status
    edge.things.script = ok
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).body == b"0"


async def test_a_slow_service(start_world: StartWorld) -> None:
    async def slow(passed: Request, writer: asyncio.StreamWriter) -> None:
        await passed.reader.read()

    async with start_world(upstream_answer_seconds=1) as edge:
        edge.things.script = slow
        answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
        assert (answer.status, answer.json()["type"]) == (504, "/problems/gateway-timeout")
        await eventually(lambda: _true(edge.things.closed == 1))


async def test_a_service_that_falls_silent_in_the_middle(start_world: StartWorld) -> None:
    async def stall(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await passed.reader.read()

    async with start_world(upstream_silence_seconds=1) as edge:
        edge.things.script = stall
        answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
        assert (answer.body, answer.broken) == (b"half", True)


async def test_a_stale_connection_is_replaced_for_what_may_be_repeated(edge: World) -> None:
    async def once(passed: Request, writer: asyncio.StreamWriter) -> None:
        """Keeps the connection, and closes it on the second request unanswered."""
        if sum(each.connection == passed.connection for each in edge.things.requests) > 1:
            writer.close()
        else:
            await ok(passed, writer)

    edge.things.script = once
    token = edge.token()
    assert (await ask(edge.port, "GET", "/v1/things", token=token)).status == 200
    assert (await ask(edge.port, "GET", "/v1/things", token=token)).status == 200
    assert (await ask(edge.port, "PUT", "/v1/things/1", token=token, body=b"{}")).status == 200
    assert (await ask(edge.port, "POST", "/v1/things", token=token, body=b"{}")).status == 502
    assert [each.method for each in edge.things.requests] == ["GET", "GET", "GET", "PUT", "PUT", "POST"]


async def test_what_a_service_began_to_answer_is_not_repeated(edge: World) -> None:
    async def break_off(passed: Request, writer: asyncio.StreamWriter) -> None:
        if len(edge.things.requests) > 1:
            writer.write(b"HTTP/1.1 2")
            await writer.drain()
            writer.close()
        else:
            await ok(passed, writer)

    edge.things.script = break_off
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200
    assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 502
    assert len(edge.things.requests) == 2


async def test_a_service_that_is_down_is_left_alone_and_others_go_on(start_world: StartWorld) -> None:
    async with scripted() as gone:
        port = gone.port
    async with start_world() as edge:
        things = edge.gateway.upstreams["things"]
        things.addresses = deque([("127.0.0.1", port)])
        things.close()
        token = edge.token()
        for _ in range(5):
            answer = await ask(edge.port, "GET", "/v1/things", token=token)
            assert (answer.status, answer.json()["type"]) == (503, "/problems/unavailable")
            assert int(answer.header("retry-after") or 0) >= 1
        assert things.breaker.wait() > 0, "after five failures it is not even tried"
        assert (await ask(edge.port, "GET", "/v1/others", token=token)).status == 200

        async with scripted(port):

            async def back() -> bool:
                return (await ask(edge.port, "GET", "/v1/things", token=token)).status == 200

            await eventually(back, what="the service is tried again")


async def test_a_service_that_does_not_run_here(edge: World) -> None:
    answer = await ask(edge.port, "GET", "/v1/absent", token=edge.token())
    assert (answer.status, answer.header("retry-after")) == (503, "30")


async def test_only_so_many_requests_at_once_go_to_a_service(start_world: StartWorld) -> None:
    go_on = asyncio.Event()

    async def wait(passed: Request, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await ok(passed, writer)

    async with start_world(upstream_connections=2, upstream_connect_seconds=1) as edge:
        edge.things.script = wait
        token = edge.token()
        waiting = [asyncio.create_task(ask(edge.port, "GET", "/v1/things", token=token)) for _ in range(2)]
        await eventually(lambda: _true(len(edge.things.requests) == 2))
        assert (await ask(edge.port, "GET", "/v1/things", token=token)).status == 503
        queued = asyncio.create_task(ask(edge.port, "GET", "/v1/things", token=token))
        go_on.set()
        assert [(await each).status for each in [*waiting, queued]] == [200] * 3
        assert edge.things.connections == 2


async def test_slow_callers_keep_no_service_from_the_others(
    start_world: StartWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(passed: Request, writer: asyncio.StreamWriter) -> None:
        if passed.target != "/v1/open?endless":
            await ok(passed, writer)
            return
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1 << 30))
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    monkeypatch.setattr(upstream, "SLOWEST_SECONDS", 0.1)
    async with start_world(upstream_connections=2, upstream_connect_seconds=20) as edge:
        edge.things.script = endless
        half = request("POST", "/v1/open", "content-length: 10") + b"half"
        for saying in (half, request("GET", "/v1/open?endless")):
            edge.things.requests.clear()
            async with connected(edge.port) as first, connected(edge.port) as second:
                for caller in (first, second):
                    await caller.say(saying)
                await eventually(lambda: _true(len(edge.things.requests) == 2), what="both are under way")
                answers = await asyncio.gather(*(ask(edge.port, "GET", "/v1/open") for _ in range(3)))
                assert [answer.status for answer in answers] == [200] * 3


async def test_who_is_slow_does_not_try_whether_a_service_is_back(edge: World) -> None:
    breaker = edge.gateway.upstreams["things"].breaker
    begun = request("POST", "/v1/open", "content-length: 10")
    for saying, answered in ((begun, False), (begun + b"half", True)):
        for _ in range(THRESHOLD):
            breaker.failed()
        breaker._open_until = 0.0  # its pause is over
        async with connected(edge.port) as slow:
            await slow.say(saying)
            if answered:
                assert (await slow.answer()).status == 503, "whole requests try it first"
            assert (await ask(edge.port, "GET", "/v1/open")).status == 200
        assert breaker.is_closed


async def test_drains_when_it_is_told_to_stop(edge: World) -> None:
    go_on = asyncio.Event()

    async def wait(passed: Request, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await ok(passed, writer)

    edge.things.script = wait
    async with connected(edge.port) as busy, connected(edge.port) as idle:
        await idle.say(request("GET", "/v1/unknown"))
        assert (await idle.answer()).status == 404
        await busy.say(request("GET", "/v1/things", token=edge.token()))
        await eventually(lambda: _true(edge.things.requests))
        edge.server.should_exit = True
        assert await idle.closed()
        go_on.set()
        answer = await busy.answer()
        assert (answer.status, answer.header("connection")) == (200, "close")
        assert await busy.closed()


async def test_streams_end_when_it_is_told_to_stop(edge: World) -> None:
    async def stream(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        writer.write(b"3\r\n:\n\n\r\n")
        await passed.reader.read()

    edge.services["websocket"].script = stream
    async with connected(edge.port) as caller:
        await caller.say(request("GET", f"/v1/live/events?access_token={edge.token()}&after=7"))
        await caller.reader.readuntil(b":\n\n\r\n")
        edge.server.should_exit = True
        assert await caller.reader.readexactly(5) == b"0\r\n\r\n", "ended, not broken off"
    assert edge.services["websocket"].requests[0].target == "/v1/live/events?after=7"


async def test_a_mistake_of_the_gateways_own(edge: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge.gateway, "table", None)
    answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
    assert (answer.status, answer.json()["type"]) == (500, "/problems/internal")
    assert "NoneType" not in answer.body.decode()

    monkeypatch.undo()
    monkeypatch.setattr(edge.gateway.upstreams["others"], "heard", None)
    edge.services["others"].script = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
    assert (await ask(edge.port, "GET", "/v1/others", token=edge.token())).broken, (
        "no second answer in the first"
    )


async def _true(value: object) -> bool:
    return bool(value)


async def test_a_replica_that_takes_no_connection_is_passed_by(start_world: StartWorld) -> None:
    async with scripted() as one, scripted() as other:
        addresses = f"http://127.0.0.1:{one.port}|http://127.0.0.1:9|http://127.0.0.1:{other.port}"
        async with start_world(upstreams=f"things={addresses}") as edge:
            asked = [ask(edge.port, "POST", "/v1/things", token=edge.token(), body=b"{}") for _ in range(6)]
            assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
        assert one.requests, "both were asked"
        assert other.requests


async def test_a_service_none_of_whose_replicas_is_there(start_world: StartWorld) -> None:
    async with start_world(upstreams="things=http://127.0.0.1:9|http://127.0.0.1:11") as edge:
        answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
        assert answer.status == 503
        assert answer.header("retry-after")
