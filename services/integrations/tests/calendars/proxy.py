"""What stands between us and a calendar's server, and may fail after the server has done its part."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from flotilla.testing.radicale import Radicale

PASSED_ON = ("content-type", "depth", "if-none-match")


@dataclass
class Proxy:
    """Passes requests on; loses the answer of the next of a method, or holds it until it is let go."""

    radicale: Radicale
    address: str = ""
    lost: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    _to_lose: set[str] = field(default_factory=set)
    _to_hold: set[str] = field(default_factory=set)
    _let_go: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    @asynccontextmanager
    async def running(cls, radicale: Radicale) -> AsyncIterator["Proxy"]:
        """On a free port."""
        proxy = cls(radicale)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", proxy._pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        proxy.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield proxy
        proxy.let_go()
        await runner.cleanup()

    def lose(self, method: str) -> None:
        """The next answer to it does not arrive."""
        self._to_lose.add(method)

    def hold(self, method: str) -> None:
        """The next answer to it waits."""
        self._to_hold.add(method)

    def let_go(self) -> None:
        """It waits no longer."""
        self._let_go.set()

    async def _pass_on(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        headers = {name: value for name, value in request.headers.items() if name.lower() in PASSED_ON}
        async with self.radicale.session.request(
            request.method,
            self.radicale.address + request.path_qs,
            data=await request.read(),
            headers=headers,
        ) as answer:
            body, status, said = await answer.read(), answer.status, answer.headers
        if request.method in self._to_hold:
            self._to_hold.discard(request.method)
            self.held.append(request.method)
            await self._let_go.wait()
        if request.method in self._to_lose:
            self._to_lose.discard(request.method)
            self.lost.append(request.method)
            assert request.transport is not None
            request.transport.abort()
        kept = {name: value for name, value in said.items() if name.lower() in ("etag", "content-type")}
        return web.Response(status=status, body=body, headers=kept)
