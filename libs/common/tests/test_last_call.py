"""A server that is told to stop answers whoever has a connection once more, and closes that connection then."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
import uvicorn
from flotilla import run
from flotilla.testing import eventually
from flotilla.testing.ports import free_port

REQUEST = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 0\r\n\r\n"


async def _app(scope: Any, receive: Any, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def test_a_kept_connection_has_a_last_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LAST_CALL_SECONDS", 600)  # it ends when the last connection does
    port = free_port()
    server = run.Server(uvicorn.Config(_app, port=port, http="httptools", lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: _listens(port))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        assert b"connection: close" not in await _ask(reader, writer)
        server.should_exit = True

        async def shut() -> bool:
            return not await _listens(port)

        await eventually(shut, what="nobody new is let in")
        assert b"connection: close" in await _ask(reader, writer)
        assert await reader.read() == b"", "and closed"
    finally:
        writer.close()
        await serving


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert await reader.readexactly(2) == b"ok"
    return head


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
