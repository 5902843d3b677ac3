"""Debian's Chromium without a window, told what to do by the DevTools protocol.

async with Chromium.running() as browser, browser.page("http://localhost:4711/") as page:
    assert await page.evaluate("1 + 1") == 2
    await page.command("WebAuthn.enable")
"""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from flotilla.native import apt
from flotilla.testing.eventually import eventually

PROGRAM: Final = Path("/usr/bin/chromium")
SECONDS: Final = 60.0
"""How long it may take to start, and to answer."""
OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",  # tests run as root, where there is none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class PageError(RuntimeError):
    """The browser refused a command, or a script in the page threw."""


@dataclass
class Page:
    """One tab."""

    _socket: aiohttp.ClientWebSocketResponse
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and what it gave."""
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(SECONDS):
            while (said := await self._socket.receive_json()).get("id") != number:
                pass
        if "error" in said:
            raise PageError(f"{method}: {said['error']['message']}")
        result: dict[str, Any] = said["result"]
        return result

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, of its promise where it is one, as JSON can say it."""
        said = await self.command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in said:
            thrown = said["exceptionDetails"].get("exception", {})
            raise PageError(str(thrown.get("description") or thrown.get("value") or said["exceptionDetails"]))
        return said["result"].get("value")


@dataclass(frozen=True)
class Chromium:
    """A browser that runs."""

    _address: str
    _session: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["Chromium"]:
        """Started, and installed before where it is missing; it remembers nothing of earlier runs."""
        await apt.ensure(PROGRAM, "chromium")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            process = await asyncio.create_subprocess_exec(
                str(PROGRAM),
                *OPTIONS,
                f"--user-data-dir={folder}",
                "about:blank",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                port = await _port(Path(folder) / "DevToolsActivePort", process)
                async with aiohttp.ClientSession() as session:
                    yield cls(f"http://127.0.0.1:{port}", session)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    @asynccontextmanager
    async def page(self, address: str) -> AsyncIterator[Page]:
        """A tab that shows what is at an address, once it is loaded."""
        async with self._session.put(f"{self._address}/json/new?{address}") as answer:
            tab = await answer.json()
        # Whatever is loaded may be large; nothing here comes from strangers.
        async with self._session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Page(socket)

            async def loaded() -> bool:
                there = f"location.href.startsWith({address!r}) && document.readyState === 'complete'"
                return bool(await page.evaluate(there))

            await eventually(loaded, what=f"{address} to be loaded", seconds=SECONDS)
            yield page


async def _port(file: Path, process: asyncio.subprocess.Process) -> int:
    """Which port it took, as it writes down."""

    async def written() -> int:
        if process.returncode is not None:
            raise PageError(f"{PROGRAM} ended with {process.returncode}")
        return int(file.read_text().split()[0]) if file.exists() and file.stat().st_size else 0

    return await eventually(written, what="the browser to listen", seconds=SECONDS)
