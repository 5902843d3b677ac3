"""Redis: caches, rate limits, presence. It keeps nothing on disk."""

from pathlib import Path
from typing import Final

from redis.asyncio import Redis as Client
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as NotConnected

from flotilla.instance import Instance
from flotilla.native import apt
from flotilla.native.node import PLAIN_ENVIRONMENT, START_SECONDS, Node

PROGRAM: Final = Path("/usr/bin/redis-server")


class Redis(Node):
    """The instance's Redis 7."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance, "redis", instance.ports.redis)

    async def install(self) -> None:
        await apt.ensure(PROGRAM, "redis-server")

    async def start(self) -> None:
        if not self._processes.alive(self.name):
            self._claim(self._port)
            folder = self._make_folder()
            configuration = self._render(
                "redis.conf",
                folder / "redis.conf",
                port=self._port,
                password=self._instance.secrets.redis,
                folder=folder,
                **(self._certificate() if self._instance.tls else {}),
            )
            self._processes.start(self.name, [PROGRAM, configuration], PLAIN_ENVIRONMENT)
        await self._processes.wait_ready(self.name, self._answers, START_SECONDS)

    async def reload(self) -> None:
        """It reads its certificate when it is told where that lies, though it lies where it lay."""
        if self._processes.alive(self.name):
            certificate = self._certificate()
            client = Client.from_url(self._instance.redis_url)
            try:
                await client.config_set(
                    "tls-cert-file", certificate["cert_file"], "tls-key-file", certificate["key_file"]
                )
            finally:
                await client.aclose()

    async def _answers(self) -> bool:
        client = Client.from_url(self._instance.redis_url)
        try:
            return bool(await client.ping())
        except (NotConnected, BusyLoadingError):
            return False
        finally:
            await client.aclose()
