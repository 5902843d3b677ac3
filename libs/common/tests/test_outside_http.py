"""The one outbound HTTP client, against a local server that misbehaves as the internet does."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from flotilla import breaker, outside_http
from flotilla.breaker import OPENS_AFTER
from flotilla.outside_http import (
    CircuitOpenError,
    OutsideHttp,
    OutsideUncertainError,
    OutsideUnreachableError,
)
from flotilla.public_addresses import PublicResolver
from flotilla.testing.ports import free_port


@dataclass
class World:
    """A local server and how often each path was asked."""

    url: str
    asked: Counter[str] = field(default_factory=Counter)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked[f"{request.method} {path}"] += 1
        times = self.asked[f"{request.method} {path}"]
        if path == "/silent":
            await asyncio.Event().wait()
        if path == "/hangs-up" or (path == "/hangs-up-once" and times == 1):
            assert request.transport
            request.transport.close()
        if path == "/broken" or (path == "/broken-once" and times == 1):
            return web.Response(status=503)
        if path == "/endless":
            return await self._endless(request)
        if path == "/elsewhere":
            raise web.HTTPFound("http://127.0.0.1:1/internal")
        if path == "/sets-a-cookie":
            answer = web.json_response({"cookies": dict(request.cookies)})
            answer.set_cookie("session", "somebody's")
            return answer
        if path == "/says-no":
            return web.json_response({"error": "no"}, status=422)
        return web.json_response({"method": request.method, "body": await request.text()})

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * (1 << 20))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World("")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", world.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    world.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield world
    await runner.cleanup()


@pytest.fixture
async def http(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OutsideHttp]:
    monkeypatch.setattr("flotilla.outside_http.random.uniform", lambda *_: 0.001)
    async with OutsideHttp.opened() as client:
        yield client


@pytest.fixture
def nowhere() -> str:
    """An address that nobody listens at."""
    return f"http://127.0.0.1:{free_port()}"


async def test_an_answer_is_read_whole(http: OutsideHttp, world: World) -> None:
    answer = await http.request("POST", f"{world.url}/", json={"a": 1})
    assert (answer.status, answer.json()) == (200, {"method": "POST", "body": '{"a":1}'})


async def test_a_refusal_is_an_answer_and_not_repeated(http: OutsideHttp, world: World) -> None:
    assert (await http.request("GET", f"{world.url}/says-no")).status == 422
    assert world.asked["GET /says-no"] == 1


async def test_nobody_there_is_unreachable_and_tried_again_whatever_the_method(
    http: OutsideHttp, nowhere: str
) -> None:
    with pytest.raises(OutsideUnreachableError):
        await http.request("POST", nowhere)
    assert [each.failures for each in http._breakers.values()] == [3]


async def test_a_password_in_an_address_is_not_in_its_error(http: OutsideHttp, nowhere: str) -> None:
    with pytest.raises(OutsideUnreachableError) as raised:
        await http.request("GET", nowhere.replace("http://", "http://user:hunter2@"))
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("path", ["/silent", "/hangs-up"])
async def test_no_answer_to_what_was_sent_is_uncertain_and_not_repeated(
    http: OutsideHttp, world: World, path: str
) -> None:
    with pytest.raises(OutsideUncertainError):
        await http.request("POST", world.url + path, limit=0.3)
    assert world.asked[f"POST {path}"] == 1, "it may have been done"


async def test_what_is_safe_to_repeat_is_repeated(http: OutsideHttp, world: World) -> None:
    assert (await http.request("PUT", f"{world.url}/hangs-up-once")).status == 200
    assert (await http.request("GET", f"{world.url}/broken-once")).status == 200
    assert (await http.request("POST", f"{world.url}/broken-once", repeatable=True)).status == 200
    assert world.asked["GET /broken-once"] == world.asked["POST /broken-once"] == 2


async def test_a_broken_answer_is_returned_in_the_end(http: OutsideHttp, world: World) -> None:
    assert (await http.request("GET", f"{world.url}/broken")).status == 503
    assert (await http.request("POST", f"{world.url}/broken")).status == 503
    assert (world.asked["GET /broken"], world.asked["POST /broken"]) == (3, 1)


async def test_an_answer_without_end_is_cut(
    http: OutsideHttp, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside_http, "MAX_RESPONSE_BYTES", 3 << 20)
    with pytest.raises(OutsideUncertainError):
        await http.request("POST", f"{world.url}/endless")


async def test_it_goes_nowhere_it_was_not_sent(http: OutsideHttp, world: World) -> None:
    assert (await http.request("GET", f"{world.url}/elsewhere")).status == 302


async def test_no_notation_of_an_address_leads_inside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flotilla.outside_http.random.uniform", lambda *_: 0.001)
    port = world.url.rpartition(":")[2]
    async with OutsideHttp.opened(resolver=PublicResolver()) as http:
        for host in ("localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1."):
            with pytest.raises(OutsideUnreachableError):
                await http.request("GET", f"http://{host}:{port}/")
    assert not world.asked, "a literal one alone is looked at before (`is_called_openly`)"


async def test_a_host_that_fails_again_and_again_is_given_a_rest_and_then_asked(
    http: OutsideHttp, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "STAYS_OPEN_SECONDS", 0.15)
    for _ in range(OPENS_AFTER):
        await http.request("POST", f"{world.url}/broken")
    with pytest.raises(CircuitOpenError):
        await http.request("GET", f"{world.url}/fine")
    assert world.asked["GET /fine"] == 0
    async with asyncio.timeout(5):
        while True:
            try:
                assert (await http.request("GET", f"{world.url}/fine")).status == 200
                break
            except CircuitOpenError:
                await asyncio.sleep(0.01)  # sleep: until the breaker has rested, within the deadline above
    for _ in range(OPENS_AFTER - 1):
        await http.request("POST", f"{world.url}/broken")
    assert (await http.request("GET", f"{world.url}/fine")).status == 200, "a success counts from the start"


async def test_one_host_is_not_blamed_for_another(http: OutsideHttp, world: World, nowhere: str) -> None:
    for _ in range(2):
        with pytest.raises(OutsideUnreachableError):
            await http.request("GET", nowhere)
    with pytest.raises(CircuitOpenError):
        await http.request("GET", nowhere)
    assert (await http.request("GET", f"{world.url}/fine")).status == 200


async def test_a_cookie_is_not_carried_to_the_next_request(http: OutsideHttp, world: World) -> None:
    first = await http.request("GET", f"{world.url}/sets-a-cookie")
    assert "Set-Cookie" in first.headers
    again = await http.request("GET", f"{world.url}/sets-a-cookie")
    assert again.json()["cookies"] == {}, "it may have been another organization's"
