"""What a caller's connection may send, and how long it may take."""

import asyncio
from dataclasses import replace

import pytest
from flotilla.testing import eventually

from services.gateway.tests.conftest import StartWorld
from services.gateway.tests.raw import ask, connected, request
from services.gateway.tests.scripted import Request
from services.gateway.tests.world import World


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/things/", "/v1/things/1/2", "/v1/%74hings", "/v1/", "/v2/things"]
)
async def test_unknown_paths(edge: World, path: str) -> None:
    answer = await ask(edge.port, "GET", path, token=edge.token())
    assert answer.status == 404
    assert not edge.things.requests


async def test_routes_by_the_most_particular_path(edge: World) -> None:
    for path in ("/v1/things/mine", "/v1/things/minerals", "/v1/things/%C3%BC"):
        assert (await ask(edge.port, "GET", path, token=edge.token())).status == 200
    assert [passed.target for passed in edge.things.requests] == [
        "/v1/things/mine",
        "/v1/things/minerals",
        "/v1/things/%C3%BC",
    ]
    assert (await ask(edge.port, "DELETE", "/v1/things/mine", token=edge.token())).status == 405


async def test_methods_a_path_does_not_have(edge: World) -> None:
    answer = await ask(edge.port, "DELETE", "/v1/things", token=edge.token())
    assert (answer.status, answer.json()["type"]) == (405, "/problems/method-not-allowed")
    assert answer.header("allow") == "GET, POST, HEAD, OPTIONS"
    options = await ask(edge.port, "OPTIONS", "/v1/things")
    assert (options.status, options.header("allow")) == (204, "GET, POST, HEAD, OPTIONS")
    assert (await ask(edge.port, "TRACE", "/v1/things")).status == 405


@pytest.mark.parametrize(
    "target",
    [
        "/v1/things/../others",
        "/v1/things/%2e%2e/others",
        "/v1/./things",
        "/v1/things/a%2fb",
        "/v1/things/a%5Cb",
        "/v1/things/a\\b",
        "/v1//things",
        "//v1/things",
        "/v1/things/%00",
        "/v1/things/a%0d%0ab",
        "/v1/things/%ff",
        "/v1/things/%c3%28",
        "/v1/things/%zz",
        "/v1/things/%",
        "/v1/things/<x>",
    ],
)
async def test_paths_that_two_parsers_could_read_differently(edge: World, target: str) -> None:
    answer = await ask(edge.port, "GET", target, token=edge.token())
    assert (answer.status, answer.json()["type"]) == (400, "/problems/bad-request")
    assert not edge.things.requests


@pytest.mark.parametrize(
    "wire",
    [
        b"GET /v1/things\xc3\xbc HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/open HTTP/1.1\r\n\r\n",
        b"GET /v1/open HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET /v1/open HTTP/1.1\r\nhost: x\r\nbad name: 1\r\n\r\n",
        b"GET /v1/open HTTP/1.1\r\nhost: x\r\nx-null: a\x00b\r\n\r\n",
        b"POST /v1/open HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/open HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"POST /v1/open HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\nabc",
        b"GET http:///v1/open HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT evil:443 HTTP/1.1\r\nhost: evil:443\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/open HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc",
    ],
)
async def test_requests_that_are_not_well_formed(edge: World, wire: bytes) -> None:
    async with connected(edge.port) as caller:
        await caller.say(wire)
        answer = await caller.answer()
        assert (answer.status, answer.header("content-type")) == (400, "application/problem+json")
    assert not edge.things.requests


async def test_obsolete_text_in_fields_passes_as_it_is(edge: World) -> None:
    async with connected(edge.port) as caller:
        await caller.say(b"GET /v1/open HTTP/1.1\r\nhost: x\r\nx-name: M\xfcller \xff\r\n\r\n")
        assert (await caller.answer()).status == 200
    assert edge.things.requests[0].header("x-name") == "M\xfcller \xff"


async def test_offers_of_other_protocols_are_declined(edge: World) -> None:
    offer = (
        "connection: upgrade, http2-settings",
        "upgrade: h2c",
        "http2-settings: AAMAAABkAAQAoAAAAAIAAAAA",
    )
    assert (await ask(edge.port, "GET", "/v1/open", *offer)).status == 200


async def test_bodies_that_are_too_large(start_world: StartWorld) -> None:
    async with start_world(body_bytes=10_000) as edge:
        declared = await ask(edge.port, "POST", "/v1/open", body=b"x" * 10_001)
        assert (declared.status, declared.json()["type"]) == (413, "/problems/too-large")
        assert not edge.things.requests, "known from the head: the service hears nothing"
        assert (await ask(edge.port, "POST", "/v1/open", body=b"x" * 10_000)).status == 200

        async with connected(edge.port) as caller:
            await caller.say(request("POST", "/v1/open", "transfer-encoding: chunked"))
            for _ in range(4):
                await caller.say(b"bb8\r\n" + b"x" * 3000 + b"\r\n")
                await asyncio.sleep(0.01)  # sleep: each piece comes by itself
            answer = await caller.answer()
            assert (answer.status, answer.json()["type"]) == (413, "/problems/too-large")
            await caller.say(b"0\r\n\r\n" + request("GET", "/v1/open"))
            assert (await caller.answer()).status == 200, "the connection is still good"


async def test_what_is_sent_after_a_refusal_is_read_away_up_to_a_limit(start_world: StartWorld) -> None:
    async with start_world(body_bytes=10_000) as edge, connected(edge.port) as caller:
        await caller.say(request("POST", "/v1/open", f"content-length: {64 << 20}"))
        assert (await caller.answer()).status == 413
        with pytest.raises(ConnectionError):
            await caller.pour(64 << 20)


async def test_heads_that_are_too_large(edge: World) -> None:
    big = await ask(edge.port, "GET", "/v1/open", f"x-big: {'x' * 40_000}")
    assert (big.status, big.json()["type"]) == (431, "/problems/headers-too-large")
    many = await ask(edge.port, "GET", "/v1/open", *(f"x-{n}: 1" for n in range(101)))
    assert many.status == 431
    async with connected(edge.port) as caller:
        await caller.say(b"GET /v1/open HTTP/1.1\r\nhost: x\r\nx-endless: ")
        with pytest.raises(ConnectionError):
            await caller.pour(10 << 20)
    long = await ask(edge.port, "GET", "/v1/open?q=" + "x" * 9000)
    assert (long.status, long.json()["type"]) == (414, "/problems/uri-too-long")
    assert not edge.things.requests


async def test_what_follows_a_body_is_as_large_as_a_head_may_be(edge: World) -> None:
    begun = request("POST", "/v1/open", "transfer-encoding: chunked") + b"1\r\na\r\n"
    async with connected(edge.port) as caller:
        await caller.say(begun + b"0\r\nx-endless: ")
        with pytest.raises(ConnectionError):
            await caller.pour(32 << 20)
    for much in (b"0\r\n" + b"x: 1\r\n" * 20_000, b"1;" + b"x" * 120_000):
        edge.things.requests.clear()
        async with connected(edge.port) as caller:
            await caller.say(begun)
            await eventually(lambda: _true(edge.things.requests), what="it is under way")
            await caller.say(much)
            answer = await caller.answer()
            assert (answer.status, answer.json()["type"]) == (431, "/problems/headers-too-large")
            assert await caller.closed()


async def test_a_large_body_in_the_same_segment_is_no_large_head(edge: World) -> None:
    assert (await ask(edge.port, "POST", "/v1/open", body=b"x" * 200_000)).status == 200


@pytest.mark.parametrize("beginning", [b"", b"GET /v1/open HTTP/1.1\r\nhost: x\r\nx-slow: "])
async def test_heads_that_do_not_come(start_world: StartWorld, beginning: bytes) -> None:
    async with start_world(head_seconds=1.0) as edge, connected(edge.port) as caller:
        await caller.say(beginning)
        answer = await caller.answer()
        assert (answer.status, answer.json()["type"]) == (408, "/problems/request-timeout")
        assert await caller.closed()


async def test_a_kept_connection_may_idle_longer_than_a_head_may_take(start_world: StartWorld) -> None:
    async with start_world(head_seconds=1.0) as edge, connected(edge.port) as caller:
        for _ in range(2):
            await caller.say(request("GET", "/v1/open"))
            assert (await caller.answer()).status == 200
            await asyncio.sleep(1.5)  # sleep: idle for longer than a head may take


async def test_bodies_that_do_not_come(start_world: StartWorld) -> None:
    async with start_world(body_seconds=0.2) as edge, connected(edge.port) as caller:
        await caller.say(request("POST", "/v1/open", "content-length: 10") + b"half")
        answer = await caller.answer()
        assert (answer.status, answer.json()["type"]) == (408, "/problems/request-timeout")
        assert await caller.closed()
        await eventually(lambda: _true(edge.things.closed == edge.things.connections))


async def test_a_caller_that_takes_none_of_its_answer(start_world: StartWorld) -> None:
    async def endless(passed: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (1 << 30))
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with start_world(stall_seconds=0.3) as edge, connected(edge.port) as caller:
        edge.things.script = endless
        await caller.say(request("GET", "/v1/open"))
        await eventually(lambda: _true(edge.things.requests))
        await eventually(lambda: _true(edge.things.closed == 1), what="both connections are cut")
        assert not edge.gateway.connections


async def test_pages_for_operators_are_for_callers_inside(start_world: StartWorld) -> None:
    async with start_world(trusted_proxies="127.0.0.0/8") as edge:
        for path in ("/%6Detrics", "/metric%73", "/%72eadyz", "/%761/things"):
            for source in ((), ("x-forwarded-for: 93.184.216.34",)):
                assert (await ask(edge.port, "GET", path, *source)).status == 404, "by no other spelling"
        for path in ("/metrics", "/readyz"):
            assert (await ask(edge.port, "GET", path)).body == b"here"
            outside = await ask(edge.port, "GET", path, "x-forwarded-for: 93.184.216.34")
            assert outside.status == 404
        assert (await ask(edge.port, "GET", "/healthz", "x-forwarded-for: 93.184.216.34")).status == 200


async def test_only_so_many_callers_at_once(edge: World) -> None:
    few = replace(edge.gateway.edge_limits, connections=2)
    edge.gateway.edge_limits = few
    edge.server.config.http_protocol_class = edge.gateway.server_options()["http"]
    async with connected(edge.port) as first, connected(edge.port), connected(edge.port) as third:
        answer = await third.answer()
        assert (answer.status, answer.header("retry-after")) == (503, "1")
        await first.say(request("GET", "/v1/open"))
        assert (await first.answer()).status == 200


async def test_one_address_leaves_the_others_theirs(start_world: StartWorld) -> None:
    greedy, other = "127.0.0.66", "127.0.0.67"
    async with start_world(caller_connections=2, exempt_networks="127.0.0.1") as edge:
        async with (
            connected(edge.port, greedy) as first,
            connected(edge.port, greedy),
            connected(edge.port, greedy) as third,
            connected(edge.port, other) as fourth,
        ):
            answer = await third.answer()
            assert (answer.status, answer.header("retry-after")) == (503, "1")
            for caller in (first, fourth):
                await caller.say(request("GET", "/healthz"))
                assert (await caller.answer()).status == 200
        await eventually(lambda: _healthy(edge, greedy), what="those that closed are counted no more")
    async with (
        start_world(caller_connections=1, exempt_networks="127.0.0.1", trusted_proxies=greedy) as edge,
        connected(edge.port, greedy),
        connected(edge.port, greedy) as second,
    ):
        await second.say(request("GET", "/healthz"))
        assert (await second.answer()).status == 200, "behind a load balancer is everybody"


async def _healthy(edge: World, source: str) -> bool:
    async with connected(edge.port, source) as caller:
        await caller.say(request("GET", "/healthz"))
        return (await caller.answer()).status == 200


async def test_a_caller_that_closes_its_half_has_left(edge: World) -> None:
    async with connected(edge.port) as caller:
        await caller.say(request("POST", "/v1/open", "content-length: 10") + b"half")
        await eventually(lambda: _true(edge.things.requests))
        caller.writer.write_eof()
        assert await caller.closed()
    await eventually(lambda: _true(edge.things.closed == 1))


async def _true(value: object) -> bool:
    return bool(value)
