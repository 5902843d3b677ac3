"""What the native servers share: a process with a record, a port of its own, a rendered configuration."""

import asyncio
import os
import socket
from pathlib import Path
from string import Template
from typing import Final

from flotilla.instance import HOST, Instance
from flotilla.native.authority import Authority
from flotilla.processes import Processes, memory
from flotilla.servers import ServerStatus

START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 30.0

PLAIN_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
"""What a server is given of the environment: nothing that the caller happens to have set changes it."""


class PortTakenError(RuntimeError):
    """Another program listens where a server should."""


async def listens(port: int) -> bool:
    """Whether anything takes connections there."""
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


class Node:
    """A server process of an instance. Subclasses say how it is installed, started and asked."""

    def __init__(self, instance: Instance, name: str, port: int) -> None:
        self._instance = instance
        self._name = name
        self._port = port
        self._folder = instance.folder / name
        self._processes = Processes(instance.folder / "run", instance.folder / "logs")

    @property
    def name(self) -> str:
        return self._name

    async def stop(self) -> bool:
        return await self._processes.stop(self._name, STOP_SECONDS)

    async def reload(self) -> None:
        """Nothing to do: RabbitMQ reads its files again every two minutes, the document store when it starts."""

    def status(self) -> ServerStatus:
        address = f"{HOST}:{self._port}"
        record = self._processes.record(self._name)
        if record is None:
            return ServerStatus(self._name, "stopped", address)
        return ServerStatus(self._name, "running", address, record.pid, memory(record.pid))

    def _make_folder(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def _certificate(self) -> dict[str, str]:
        """Paths of the authority's file, and of this server's certificate and key, which are made where missing.

        Only where the instance runs with TLS.
        """
        authority = Authority(self._instance.ca_file.parent)
        authority.issue([self._name])
        return {
            "ca_file": str(authority.ca_file),
            "cert_file": str(authority.cert_file(self._name)),
            "key_file": str(authority.key_file(self._name)),
        }

    def _render(self, template: str, target: Path, **values: object) -> Path:
        """Writes deploy/native/<template> with the values filled in, readable by its owner only.

        With how it listens, where that is a file of its own: <template>.plain or <template>.tls beside it.
        """
        folder = self._instance.root / "deploy" / "native"
        text = (folder / template).read_text()
        listening = folder / f"{template}.{'tls' if self._instance.tls else 'plain'}"
        if listening.is_file():
            text += listening.read_text()
        text = Template(text).substitute(values)
        target.unlink(missing_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        return target

    def _claim(self, port: int) -> None:
        """Refuses early, and clearly, to start beside a stranger that has the port."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as taken:
                raise PortTakenError(
                    f"{self._name} should listen on {HOST}:{port}, but another program has that port. "
                    f"Stop it, or choose another port in deploy/instances/{self._instance.name}.toml."
                ) from taken
