"""The document store: SecantusDB's server, which speaks MongoDB's protocol on the engine MongoDB uses.

It stands in for MongoDB where neither a package nor a container of it can be had; a separate program, for
development and tests only. Any `mongodb://` address takes its place.
"""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from flotilla.instance import HOST, Instance
from flotilla.native.node import PLAIN_ENVIRONMENT, START_SECONDS, Node
from flotilla.servers import InstallFailedError

_one_at_a_time = asyncio.Lock()


class Documents(Node):
    """The instance's document store."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance, "documents", instance.ports.documents)
        self._environment = instance.tools / "secantusdb"
        self._program = self._environment / "bin" / "secantusd-rs"

    async def install(self) -> None:
        async with _one_at_a_time:
            if not self._program.exists():
                await asyncio.to_thread(self._install)

    async def start(self) -> None:
        if not self._processes.alive(self.name):
            self._claim(self._port)
            command: list[str | Path] = [self._program, "--host", HOST, "--port", str(self._port)]
            command += ["--storage-path", self._make_folder() / "data", "--log-level", "WARNING"]
            # What was acknowledged survives a crash, as MongoDB's own default (w: majority) promises.
            command += ["--sync-on-commit", "--cache-size", "256M", "--log-file-max", "128MB"]
            if self._instance.tls:
                certificate = self._certificate()
                command += [
                    "--tls-cert-file",
                    certificate["cert_file"],
                    "--tls-key-file",
                    certificate["key_file"],
                ]
            self._processes.start(self.name, command, PLAIN_ENVIRONMENT, cwd=self._folder)
        await self._processes.wait_ready(self.name, self._answers, START_SECONDS)

    async def _answers(self) -> bool:
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
            self._instance.documents_url, serverSelectionTimeoutMS=500
        )
        try:
            await client.admin.command("ping")
        except PyMongoError:
            return False
        finally:
            await client.close()
        return True

    def _install(self) -> None:
        """Into an environment of its own: the program is GPL, and no dependency of ours."""
        own = self._instance.tools / "uv" / "bin"  # where deploy/native/bootstrap puts it
        uv = os.environ.get("UV") or shutil.which("uv") or shutil.which("uv", path=own)
        if uv is None:
            raise InstallFailedError("uv is missing; deploy/native/bootstrap installs it")
        pins = self._instance.root / "deploy" / "native" / "documents.txt"
        shutil.rmtree(self._environment, ignore_errors=True)
        install = [uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        for command in (
            [uv, "venv", "--quiet", "--python", "3.11", str(self._environment)],
            [*install, "--python", str(self._environment), "-r", str(pins)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
            if done.returncode != 0:
                shutil.rmtree(self._environment, ignore_errors=True)
                raise InstallFailedError(f"{' '.join(command)} failed:\n{done.stderr}")
