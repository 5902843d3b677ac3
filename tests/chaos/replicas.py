"""Two replicas of the subject, each a process of its own, started again whenever one has died."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from flotilla.instance import Instance, project_root
from flotilla.testing import Client, eventually
from flotilla.testing.ports import free_port

from tests.chaos import subject

NAMES: Final = ("one", "two")
READY_SECONDS: Final = 180


class Replica:
    """One process, its successors, and where they listen."""

    def __init__(self, name: str, instance: Instance, settings: dict[str, str], log: Path) -> None:
        self.name = name
        self.base_url = ""
        self.ready = False
        self.deaths: list[int] = []
        """How each of its processes ended, by exit status."""
        self._instance = instance
        self._settings = settings
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether there is a process, ready or not."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *fault: str) -> None:
        """A new process, that dies at the fault named, if any; returns when it is ready or has died."""
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        environment = self._instance.environment("crm") | self._settings | {"FLOTILLA_HTTP_PORT": str(port)}
        command = ["-m", "flotilla.testing.child", subject.__name__, *fault]
        with self._log.open("a") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                env={**environment, "PYTHONPATH": str(project_root())},
                cwd=project_root(),
                stdout=output,
                stderr=output,
            )
        await eventually(self._ready_or_dead, seconds=READY_SECONDS, what=f"replica {self.name} is ready")
        assert self.ready or fault, f"it ended while it was starting: {self._log.read_text()[-2000:]}"

    async def died(self, seconds: float = 60) -> int:
        """Wait for its end: the exit status."""
        assert self._process is not None
        async with asyncio.timeout(seconds):
            status = await self._process.wait()
        self.ready = False
        self.deaths.append(status)
        return status

    async def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        """Make an end of it."""
        assert self._process is not None
        self.ready = self.ready and how is not signal.SIGKILL
        if self._process.returncode is None:
            os.kill(self._process.pid, how)
        return await self.died()

    async def _ready_or_dead(self) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            return True
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.base_url}/readyz") as answer:
                self.ready = answer.status == 200
        except (OSError, aiohttp.ClientError):
            return False
        return self.ready


class Replicas:
    """Both of them."""

    def __init__(self, replicas: Sequence[Replica], person: Client) -> None:
        self.all = replicas
        self._person = person

    def reached(self) -> list[Client]:
        """One person, as seen by each that is ready."""
        who = self._person
        return [
            Client(replica.base_url, who.session, who.org, who.user_id, who.headers)
            for replica in self.all
            if replica.ready
        ]


@asynccontextmanager
async def two_replicas(
    instance: Instance, person: Client, folder: Path, **settings: object
) -> AsyncIterator[Replicas]:
    """Ready; killed at the end."""
    told = {f"FLOTILLA_{name.upper()}": str(value) for name, value in settings.items()}
    replicas = [Replica(name, instance, told, folder / f"{name}.log") for name in NAMES]
    try:
        await asyncio.gather(*(replica.start() for replica in replicas))
        yield Replicas(replicas, person)
    finally:
        for replica in replicas:
            if replica.runs:
                await replica.end()
