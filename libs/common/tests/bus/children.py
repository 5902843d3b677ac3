"""A service as a process of its own, which may die."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from flotilla.instance import Instance
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.ports import free_port

STARTS_WITHIN = 120
"""Seconds in which a process has loaded its modules and begun, or is gone, on a machine where several do so."""


class Child:
    """A running process and where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"

    async def died(self) -> int:
        """Its exit status, waited for."""
        async with asyncio.timeout(STARTS_WITHIN):
            return await self.process.wait()

    def terminate(self) -> None:
        """Tell it to stop, as a platform would."""
        self.process.send_signal(signal.SIGTERM)

    def as_seen_by(self, person: Client) -> Client:
        """The same person, calling this process."""
        return Client(self.base_url, person.session, person.org, person.user_id, person.headers)

    async def ready(self, harness: Harness) -> None:
        """Wait until it says so."""
        await eventually(lambda: _ready(self.as_seen_by(harness.anonymous())), seconds=STARTS_WITHIN)


@asynccontextmanager
async def child(
    instance: Instance,
    module: str,
    *fault: str,
    service: str = "crm",
    log: Path = Path(os.devnull),
    port: int | None = None,
) -> AsyncIterator[Child]:
    """Start the module's service, on the stores of that name and any free port by default; killed at the end."""
    port = port or free_port()
    environment = {**instance.environment(service), "FLOTILLA_HTTP_PORT": str(port)}
    arguments = ["-m", "flotilla.testing.child", module, *fault]
    with log.open("a") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, cwd=instance.root, stdout=output
        )
    try:
        yield Child(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(client: Client) -> bool:
    try:
        return (await client.get("/readyz")).status == 200
    except (OSError, aiohttp.ClientError):
        return False
