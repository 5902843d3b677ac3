"""Bodies pass in both directions, whole and unchanged, whatever either side does."""

import asyncio
from dataclasses import replace

import pytest
from flotilla.testing import eventually

from services.gateway.tests.raw import ask, connected, narrow, request
from services.gateway.tests.scripted import Request, answering, ok
from services.gateway.tests.world import World


async def test_passes_a_request_and_its_answer(edge: World) -> None:
    edge.things.script = answering(
        b"HTTP/1.1 201 Created\r\nlocation: /v1/things/1\r\nx-own: a\r\nx-own: b\r\ncontent-length: 2\r\n\r\nhi"
    )

    answer = await ask(
        edge.port, "POST", "/v1/things?a=1&b=%20", "x-mine: yes", token=edge.token(), body=b"{}"
    )

    assert (answer.status, answer.body) == (201, b"hi")
    assert answer.header("location") == "/v1/things/1"
    assert [value for name, value in answer.headers if name == "x-own"] == ["a", "b"]
    passed = edge.things.requests[0]
    assert (passed.method, passed.target) == ("POST", "/v1/things?a=1&b=%20")
    assert passed.header("x-mine") == "yes"
    assert passed.header("x-forwarded-for") == "127.0.0.1"
    assert passed.header("x-forwarded-host") == "gateway.test"
    assert passed.header("x-request-id") == answer.header("x-request-id")


async def test_keeps_connections_for_the_next_request(edge: World) -> None:
    for _ in range(5):
        assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200
    assert edge.things.connections == 1


async def test_answers_pipelined_requests_in_order(edge: World) -> None:
    async def by_target(passed: Request, writer: asyncio.StreamWriter) -> None:
        content = passed.target.encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(content), content))

    edge.things.script = by_target
    token = edge.token()
    async with connected(edge.port) as caller:
        await caller.say(b"".join(request("GET", f"/v1/things/{n}", token=token) for n in range(5)))
        assert [(await caller.answer()).body for _ in range(5)] == [b"/v1/things/%d" % n for n in range(5)]


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
async def test_passes_a_chunked_body(edge: World, size: int) -> None:
    bodies: list[bytes] = []

    async def keep(passed: Request, writer: asyncio.StreamWriter) -> None:
        bodies.append(await passed.body())
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    edge.things.script = keep
    content = bytes(n % 251 for n in range(size))
    async with connected(edge.port) as caller:
        await caller.say(request("POST", "/v1/things", "transfer-encoding: chunked", token=edge.token()))
        for start in range(0, size, 7000):
            part = content[start : start + 7000]
            await caller.say(b"%x;ext=1\r\n%b\r\n" % (len(part), part))
        await caller.say(b"0\r\nx-trailer: no\r\n\r\n")
        assert (await caller.answer()).status == 204
    assert bodies == [content]
    assert edge.things.requests[0].header("x-trailer") is None


async def test_passes_a_chunked_answer_and_drops_its_trailers(edge: World) -> None:
    edge.things.script = answering(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-late: 1\r\n\r\n"
    )
    answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
    assert (answer.body, answer.broken, answer.header("x-late")) == (b"abcdefg", False, None)


async def test_an_answer_without_length_ends_with_its_connection(edge: World) -> None:
    async def until_closed(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        writer.close()

    edge.things.script = until_closed
    answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
    assert (answer.body, answer.broken) == (b"all of it", False)


async def test_passes_parts_of_an_answer_as_they_come(edge: World) -> None:
    go_on = asyncio.Event()

    async def in_parts(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        writer.write(b"7\r\nfirst\n\n\r\n")
        await go_on.wait()
        writer.write(b"8\r\nsecond\n\n\r\n0\r\n\r\n")

    edge.things.script = in_parts
    async with connected(edge.port) as caller:
        await caller.say(request("GET", "/v1/things", token=edge.token()))
        await caller.reader.readuntil(b"\r\n\r\n")
        assert await caller.reader.readexactly(12) == b"7\r\nfirst\n\n\r\n"
        go_on.set()
        assert await caller.reader.readexactly(18) == b"8\r\nsecond\n\n\r\n0\r\n\r\n"


async def test_a_slow_reader_slows_the_service(edge: World) -> None:
    written = 0

    async def endless(passed: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        narrow(writer)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 << 20))
        for _ in range(1024):
            writer.write(b"x" * 65_536)
            await writer.drain()
            written += 65_536

    edge.things.script = endless
    async with connected(edge.port) as caller:
        narrow(caller.writer)
        await caller.say(request("GET", "/v1/things", token=edge.token()))
        await caller.reader.readuntil(b"\r\n\r\n")
        await _settled(lambda: written)
        assert written < 32 << 20, "the gateway took the whole answer from the service"
        await caller.reader.readexactly(64 << 20)
    assert written == 64 << 20


async def test_a_slow_service_slows_the_caller(edge: World) -> None:
    go_on = asyncio.Event()

    async def slow(passed: Request, writer: asyncio.StreamWriter) -> None:
        narrow(writer)
        await go_on.wait()
        body = await passed.body()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n%08d" % len(body))

    edge.things.script = slow
    edge.gateway.settings.__dict__["body_bytes"] = 64 << 20
    async with connected(edge.port) as caller:
        narrow(caller.writer)
        sent = 0
        head = request("POST", "/v1/things", f"content-length: {48 << 20}", token=edge.token())
        caller.writer.write(head)

        async def pour() -> None:
            nonlocal sent
            while sent < 48 << 20:
                await caller.say(b"x" * 65_536)
                sent += 65_536

        pouring = asyncio.create_task(pour())
        await _settled(lambda: sent)
        assert sent < 32 << 20, "the gateway took the whole body from the caller"
        go_on.set()
        assert (await caller.answer()).body == b"%08d" % (48 << 20)
        await pouring


async def test_says_continue_before_it_reads_a_body(edge: World) -> None:
    async with connected(edge.port) as caller:
        await caller.say(
            request("POST", "/v1/things", "expect: 100-continue", "content-length: 5", token=edge.token())
        )
        assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await caller.say(b"hello")
        assert (await caller.answer()).body == b"5"
    assert edge.things.requests[0].header("expect") is None


async def test_refuses_before_it_says_continue(edge: World) -> None:
    async with connected(edge.port) as caller:
        await caller.say(request("POST", "/v1/things", "expect: 100-continue", "content-length: 5"))
        first = await caller.reader.readuntil(b"\r\n")
    assert first.startswith(b"HTTP/1.1 401 ")


async def test_a_refused_body_gets_its_answer_and_no_continue_behind_it(edge: World) -> None:
    edge.gateway.edge_limits = replace(edge.gateway.edge_limits, linger_seconds=60.0)
    expecting = ("transfer-encoding: chunked", "expect: 100-continue")
    edge.server.config.http_protocol_class = edge.gateway.server_options()["http"]
    async with connected(edge.port) as caller:
        head = request("POST", "/v1/things", *expecting, token=edge.token())
        await caller.say(head + b"no chunk\r\n")
        assert (await caller.answer()).status == 400
        client = await edge.side_of(caller)
        await eventually(lambda: _true(not client.tasks))
        await asyncio.sleep(0)
        assert not client.gone, "cut off while it still sends, the caller would lose its answer"
        assert await caller.reader.read() == b""


async def test_swallows_interim_answers(edge: World) -> None:
    edge.things.script = answering(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    )
    answer = await ask(edge.port, "GET", "/v1/things", token=edge.token())
    assert (answer.status, answer.body, answer.header("link")) == (200, b"ok", None)


async def test_an_early_answer_reaches_a_caller_that_still_sends(edge: World) -> None:
    async def at_once(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\nno")

    edge.things.script = at_once
    async with connected(edge.port) as caller:
        await caller.say(request("POST", "/v1/things", "content-length: 500000", token=edge.token()) + b"x")
        answer = await caller.answer()
        assert (answer.status, answer.body) == (409, b"no")
        await caller.say(b"x" * 499_999 + request("GET", "/v1/unknown"))
        assert (await caller.answer()).status == 404, "the rest of the body was read away"


async def test_a_connection_that_waits_for_the_rest_of_a_body_is_not_used_again(edge: World) -> None:
    """Else the service would take the next caller's request for the rest of this one's body."""

    async def at_once(passed: Request, writer: asyncio.StreamWriter) -> None:
        if passed.method == "POST":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\n\r\n" + b"x" * 8_388_608)
            await writer.drain()
            await passed.body()
        else:
            await ok(passed, writer)

    edge.things.script = at_once
    async with connected(edge.port) as caller:
        await caller.say(request("POST", "/v1/things", "content-length: 200000", token=edge.token()) + b"x")
        await eventually(lambda: _true(edge.things.requests))
        for _ in range(100):
            await caller.say(b"x" * 1000)
        assert len((await caller.answer()).body) == 8_388_608
        for _ in range(3):
            assert (await ask(edge.port, "GET", "/v1/things", token=edge.token())).status == 200
        await caller.say(b"x" * 99_999)
    assert [passed.connection for passed in edge.things.requests] == [1, 2, 2, 2]


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(edge: World, status: int) -> None:
    edge.things.script = answering(b'HTTP/1.1 %d X\r\netag: "1"\r\ncontent-length: 5\r\n\r\n' % status)
    async with connected(edge.port) as caller:
        for _ in range(2):
            await caller.say(request("GET", "/v1/things", token=edge.token()))
            answer = await caller.answer()
            assert (answer.status, answer.header("etag")) == (status, '"1"')
            assert answer.header("content-length") is None
            assert answer.header("transfer-encoding") is None


async def test_head_is_asked_as_get_and_keeps_the_length(edge: World) -> None:
    edge.things.script = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
    async with connected(edge.port) as caller:
        for _ in range(2):
            await caller.say(request("HEAD", "/v1/things", token=edge.token()))
            answer = await caller.answer("HEAD")
            assert (answer.status, answer.header("content-length")) == (200, "5")
        await caller.say(request("GET", "/v1/things", token=edge.token()))
        assert (await caller.answer()).body == b"hello"
    assert [passed.method for passed in edge.things.requests] == ["GET"] * 3


async def test_a_caller_that_leaves_ends_the_work_for_it(edge: World) -> None:
    async def never(passed: Request, writer: asyncio.StreamWriter) -> None:
        assert await passed.reader.read() == b""
        writer.close()

    edge.things.script = never
    async with connected(edge.port) as caller:
        await caller.say(request("GET", "/v1/things", token=edge.token()))
        await eventually(lambda: _true(edge.things.requests))
    await eventually(lambda: _true(edge.things.closed == 1), what="the service's connection was cut")


async def test_a_caller_that_leaves_in_the_middle_of_its_body(edge: World) -> None:
    failed: list[Exception] = []

    async def read(passed: Request, writer: asyncio.StreamWriter) -> None:
        try:
            await passed.body()
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            failed.append(error)
        writer.close()

    edge.things.script = read
    async with connected(edge.port) as caller:
        await caller.say(request("POST", "/v1/things", "content-length: 100", token=edge.token()) + b"half")
        await eventually(lambda: _true(edge.things.requests))
    await eventually(lambda: _true(failed), what="the service learnt that no more is coming")


async def test_http_1_0_gets_lengths_only(edge: World) -> None:
    async with connected(edge.port) as caller:
        token = edge.token()
        await caller.say(f"GET /v1/things HTTP/1.0\r\nauthorization: Bearer {token}\r\n\r\n".encode())
        answer = await caller.answer()
        assert (answer.status, answer.body) == (200, b"0")
        assert await caller.closed()
    edge.things.script = answering(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    )
    async with connected(edge.port) as caller:
        await caller.say(f"GET /v1/things HTTP/1.0\r\nauthorization: Bearer {token}\r\n\r\n".encode())
        assert (await caller.answer()).status == 505


async def _true(value: object) -> bool:
    return bool(value)


async def _settled(read: object) -> None:
    """Until a counter stays the same for a while: whoever counts is waiting for somebody."""
    assert callable(read)
    seen, same = read(), 0
    while same < 10:
        await asyncio.sleep(0.02)
        now = read()
        same = same + 1 if now == seen and now > 0 else 0
        seen = now
