"""Losing Redis loses nothing: a private server, killed while events stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla.testing.ports import free_port
from pydantic import SecretStr

from services.websocket.tests.listening import Listener, show, socket_of


@asynccontextmanager
async def _redis(port: int, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server of this test's own."""
    arguments = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    process = await asyncio.create_subprocess_exec(
        "redis-server", *arguments, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _connected(*replicas: Harness, connected: bool = True) -> None:
    async def all_() -> bool:
        return all(replica.app.own.fanout.connected is connected for replica in replicas)

    await eventually(
        all_, what=f"replicas {'hear' if connected else 'know that they do not hear'} each other"
    )


async def test_events_go_on_while_redis_is_gone_and_after_it_is_back(
    start_service: StartService, org: UUID, tmp_path: Path
) -> None:
    port = free_port()
    settings: dict[str, Any] = {
        "redis_url": SecretStr(f"redis://127.0.0.1:{port}/0"),
        "sweep_seconds": 30.0,
        "fallback_seconds": 0.1,
    }
    async with (
        _redis(port, tmp_path) as redis,
        start_service("websocket", **settings) as one,
        start_service("websocket", instance=one.instance, **settings) as two,
        socket_of(one.client(org)) as here,
        socket_of(two.client(org)) as there,
    ):
        await _connected(one, two)
        shown = await _stream(one, org, 40)
        redis.kill()
        shown += await _stream(one, org, 40)
        await _connected(one, two, connected=False)
        shown += await _stream(one, org, 40)
        await _all_came(shown, here, there)
        assert (await one.client(org).get("/readyz")).status == 200
        async with _redis(port, tmp_path):
            await _connected(one, two)
            await _all_came(await _stream(one, org, 40), here, there)
        for listener in (here, there):
            assert len(listener.events) == len(set(listener.events)) == 160


async def _all_came(shown: list[UUID], *listeners: Listener) -> None:
    for event_id in shown:
        for listener in listeners:
            await listener.expect_event(event_id)


async def _stream(one: Harness, org: UUID, events: int) -> list[UUID]:
    return [await show(one, org) for _ in range(events)]
