"""A network that misbehaves: Shopify's toxiproxy between the subject and its servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, Literal

import aiohttp
from flotilla.testing import eventually
from flotilla.testing.go_programs import built
from flotilla.testing.ports import free_port, free_ports

Stream = Literal["upstream", "downstream"]
"""What a client says to its server, or what it is answered."""
DOWNSTREAM: Final[Stream] = "downstream"
MODULE: Final = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0"


class Toxiproxy:
    """Ways to servers, each of which can be made slow, silent or torn."""

    def __init__(self, api: str, session: aiohttp.ClientSession) -> None:
        self._api = api
        self._session = session

    async def way_to(self, name: str, port: int) -> int:
        """A port that leads to this one."""
        (listen,) = free_ports(1)
        told = {"name": name, "listen": f"127.0.0.1:{listen}", "upstream": f"127.0.0.1:{port}"}
        await self._call("POST", "/proxies", {**told, "enabled": True})
        return listen

    @asynccontextmanager
    async def latency(self, name: str, milliseconds: int) -> AsyncIterator[None]:
        """Every answer comes late."""
        async with self._toxic(name, "latency", latency=milliseconds, jitter=milliseconds // 2):
            yield

    @asynccontextmanager
    async def silence(self, name: str, *streams: Stream) -> AsyncIterator[None]:
        """Connections stay open, and nothing gets through on these streams: half-open, or a server that is stuck.

        They are torn at the end: what was dropped meanwhile is missing from them, as it never is in life.
        """
        async with AsyncExitStack() as toxics:
            for stream in streams:
                await toxics.enter_async_context(self._toxic(name, "timeout", stream, timeout=0))
            try:
                yield
            finally:
                await self._call("POST", f"/proxies/{name}", {"enabled": False})
        await self._call("POST", f"/proxies/{name}", {"enabled": True})

    async def reset(self, name: str) -> None:
        """Tear every connection that there is."""
        async with self._toxic(name, "reset_peer", timeout=0):
            await self._call("POST", f"/proxies/{name}", {"enabled": False})
        await self._call("POST", f"/proxies/{name}", {"enabled": True})

    @asynccontextmanager
    async def _toxic(
        self, name: str, kind: str, stream: Stream = DOWNSTREAM, **attributes: int
    ) -> AsyncIterator[None]:
        label = f"{kind}_{stream}"
        toxic = {"name": label, "type": kind, "stream": stream, "attributes": attributes}
        await self._call("POST", f"/proxies/{name}/toxics", toxic)
        try:
            yield
        finally:
            await self._call("DELETE", f"/proxies/{name}/toxics/{label}")

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        async with self._session.request(method, self._api + path, json=body) as answer:
            assert answer.status < 300, (method, path, await answer.text())


@asynccontextmanager
async def running_toxiproxy() -> AsyncIterator[Toxiproxy]:
    """Built once with Go, on a free port; skipped where there is no Go."""
    program = await asyncio.to_thread(built, "toxiproxy", MODULE, "server")
    port = free_port()
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        str(program), "-host", "127.0.0.1", "-port", str(port), stdout=quiet, stderr=quiet
    )
    api = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:
            await eventually(lambda: _listens(session, api), what="toxiproxy listens")
            yield Toxiproxy(api, session)
    finally:
        process.terminate()
        await process.wait()


async def _listens(session: aiohttp.ClientSession, api: str) -> bool:
    try:
        async with session.get(f"{api}/version") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
