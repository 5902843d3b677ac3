"""Passwords that leaked elsewhere, asked for without telling them."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from flotilla.outside_http import OutsideHttp
from flotilla_auth.breaches import WITHIN_SECONDS, Breaches

LEAKED = "seven otters cross the river"


class Ranges:
    """A local server that speaks the range API of Have I Been Pwned."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.hangs = False

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.match_info["prefix"])
        if self.hangs:
            await asyncio.Event().wait()
        digest = hashlib.sha1(LEAKED.encode()).hexdigest().upper()
        padding = hashlib.sha1(b"not leaked, only padding").hexdigest().upper()
        lines = f"{'0' * 35}:7", "ü: 1", f"{digest[5:]}:3", f"{padding[5:]}:0", ""
        return web.Response(status=self.status, text="\r\n".join(lines))


@pytest.fixture
async def ranges() -> AsyncIterator[tuple[Ranges, Breaches]]:
    async with serving(Ranges()) as made:
        yield made


@asynccontextmanager
async def serving(ranges: Ranges) -> AsyncIterator[tuple[Ranges, Breaches]]:
    app = web.Application()
    app.router.add_get("/range/{prefix}", ranges.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with OutsideHttp.opened() as http:
            yield ranges, Breaches(http, f"http://127.0.0.1:{runner.addresses[0][1]}/range")
    finally:
        await runner.cleanup()


async def test_what_leaked_is_known_and_only_five_digits_are_told(ranges: tuple[Ranges, Breaches]) -> None:
    server, breaches = ranges
    assert await breaches.has(LEAKED)
    assert not await breaches.has("nine herons wait at the weir")
    assert not await breaches.has("not leaked, only padding")
    assert [len(asked) for asked in server.asked] == [5, 5, 5]


async def test_nobody_waits_for_a_service_that_does_not_answer(ranges: tuple[Ranges, Breaches]) -> None:
    server, breaches = ranges
    server.hangs = True
    began = time.monotonic()
    assert not await breaches.has(LEAKED)
    assert time.monotonic() - began < WITHIN_SECONDS * 5, "it never answers"


async def test_a_service_that_is_broken_keeps_nobody_out(ranges: tuple[Ranges, Breaches]) -> None:
    server, breaches = ranges
    server.status = 503
    assert not await breaches.has(LEAKED)
