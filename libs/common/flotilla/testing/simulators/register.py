"""What simulated registers share: a local server, and the ways in which registers misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self

from aiohttp import web

HOST: Final = "127.0.0.1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Say:
    """It answers this instead of what it knows."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True)
class Hang:
    """It takes the request and never answers."""


@dataclass(frozen=True)
class Drop:
    """It takes the request and cuts the connection."""


Fault = Say | Hang | Drop


class RegisterSimulator:
    """A register on loopback; subclasses know its routes and its records."""

    def __init__(self) -> None:
        self.address = ""
        """What clients are given as its base address."""
        self.asked: list[tuple[float, str]] = []
        """(loop time, what) of every request, refused ones too."""
        self.busiest = 0
        """The most requests that it had in hand at once."""
        self._faults: dict[str, list[Fault]] = {}
        self._down: Fault | None = None
        self._in_hand = 0
        self._more = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def running(cls, *, port: int = 0) -> AsyncIterator[Self]:
        """Listen on loopback, on a free port by default."""
        register = cls()
        app = web.Application()
        register._route(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, HOST, port).start()
        register.address = f"http://{HOST}:{runner.addresses[0][1]}{cls.base}"
        try:
            yield register
        finally:
            await runner.cleanup()

    base = ""
    """The path under which the vendor's own address has its API."""

    def fails(self, what: str, *faults: Fault) -> None:
        """Answer the next requests for `what` (a number, an LEI) so, one each."""
        self._faults.setdefault(what, []).extend(faults)

    def down(self, fault: Fault) -> None:
        """Answer everybody so, until `up`."""
        self._down = fault

    def up(self) -> None:
        """Be well again."""
        self._down = None
        self._faults.clear()

    def times_asked(self, what: str) -> int:
        """How often it was asked for `what`."""
        return sum(1 for _, asked in self.asked if asked == what)

    async def expect_asked(self, what: str, *, seconds: float = 15.0) -> None:
        """Wait until it was asked for `what`; AssertionError after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while not self.times_asked(what):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"not asked for {what} within {seconds} s") from None

    def _route(self, app: web.Application) -> None:
        raise NotImplementedError

    async def _answer(self, request: web.Request, what: str, known: web.Response) -> web.Response:
        """The answer to a question about `what`: what is known, or what it was told to do instead."""
        self.asked.append((asyncio.get_running_loop().time(), what))
        self._more.set()
        self._in_hand += 1
        self.busiest = max(self.busiest, self._in_hand)
        try:
            waiting = self._faults.get(what)
            fault = self._down or (waiting.pop(0) if waiting else None)
            return await self._misbehave(request, fault) if fault else known
        finally:
            self._in_hand -= 1

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.Response:
        if isinstance(fault, Hang):
            await asyncio.Event().wait()
        if isinstance(fault, Say):
            return web.Response(
                status=fault.status, body=fault.body, headers=fault.headers, content_type=fault.content_type
            )
        assert request.transport is not None
        request.transport.abort()
        return web.Response(status=500)
