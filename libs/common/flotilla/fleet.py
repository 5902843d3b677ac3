"""A fleet on this machine: its servers and services, brought up and down by commands and e2e tests."""

import asyncio
import fcntl
import os
import signal
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from flotilla.instance import HOST, Instance
from flotilla.native import servers as native_servers
from flotilla.native.authority import Authority
from flotilla.native.vhost import ensure_vhost
from flotilla.processes import Processes
from flotilla.security.tls import trusting
from flotilla.servers import Server, ServerUnavailableError
from flotilla.store.migrate import migrate_all

READY_SECONDS: Final = 60.0
# Longer than the 20 s in which a service finishes what it has in hand and hands over what it wrote.
GRACE_SECONDS: Final = 30.0
LOG_SHIPPER: Final = "log-shipper"
OPERATOR: Final = "operator"
"""The name in the certificate of whoever runs commands."""
_PROBE_SECONDS: Final = 2.0

Named = TypeVar("Named")
Report = Callable[[str, str, float], None]
"""Told as things happen: the name, what became of it, the seconds it took."""


def silent(name: str, outcome: str, seconds: float) -> None:
    """A report to nobody."""


class Fleet:
    """The servers and services of one instance."""

    def __init__(self, instance: Instance, report: Report = silent) -> None:
        self.instance = instance
        self.processes = Processes(instance.fleet_folder / "run", instance.fleet_folder / "logs")
        self._report = report

    def servers(self) -> list[Server]:
        return native_servers(self.instance)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One command at a time changes an instance; a second waits for the first."""
        self.instance.folder.mkdir(parents=True, exist_ok=True)
        with (self.instance.folder / "fleet.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._report(self.instance.name, "waiting for another command to finish with it", 0.0)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def log(self, name: str) -> Path:
        """Where a service or a server of this fleet writes."""
        is_server = any(server.name == name for server in self.servers())
        return (self.instance.folder if is_server else self.instance.fleet_folder) / "logs" / f"{name}.log"

    def tls(self) -> ssl.SSLContext | None:
        """How its operators speak to its services: with a certificate of their own. None where all is plain."""
        if not self.instance.tls:
            return None
        authority = Authority(self.instance.ca_file.parent)
        authority.issue([OPERATOR])
        context = trusting(authority.ca_file)
        context.load_cert_chain(authority.cert_file(OPERATOR), authority.key_file(OPERATOR))
        return context

    async def renew(self, *, anew: bool = False) -> list[str]:
        """Certificates that are about to end, or all, made and put to use while everything runs; their names.

        Services read theirs at SIGHUP, servers as their `reload` says.
        """
        authority = Authority(self.instance.ca_file.parent)
        renewed = authority.issue(
            [*(server.name for server in self.servers()), *self.instance.services], anew=anew
        )
        for server in self.servers():
            if server.name in renewed:
                await server.reload()
        for service in self.instance.services:
            if service in renewed:
                self.processes.tell(service, signal.SIGHUP)
        return renewed

    async def migrate(self) -> int:
        """The vhost, the database's schemas and the broker's topology; the number of steps applied."""
        await ensure_vhost(self.instance)
        return await migrate_all(self.instance)

    async def start_servers(self) -> None:
        """Installs what is missing, then starts all at once; returns when each answers."""
        available = [server for server in self.servers() if await self._installed(server)]
        await self._all_of(available, lambda server: server.name, lambda server: self._started(server))

    async def stop_servers(self, leave: Collection[str] = ()) -> None:
        """Stops them all, but for those that are to be left."""
        going = [server for server in self.servers() if server.name not in leave]
        await self._all_of(going, lambda server: server.name, lambda server: _stopped(server.stop()))

    def start_service(self, service: str) -> None:
        """Starts one service as a process of its own, unless it runs already."""
        if self.instance.tls:
            Authority(self.instance.ca_file.parent).issue([service])
        self.processes.start(
            service,
            [sys.executable, "-m", "flotilla.run", service],
            {**_inherited(), **self.instance.environment(service)},
            cwd=self.instance.root,
        )

    async def wait_ready(self, service: str, seconds: float = READY_SECONDS) -> None:
        """Until /readyz says yes.

        Raises:
            ProcessDiedError, NotReadyError: with the tail of the service's log.
        """
        port = self.instance.service_ports[service]
        await self.processes.wait_ready(service, lambda: answers(port, "/readyz", self.tls()), seconds)

    async def start_services(self, services: Sequence[str] | None = None) -> None:
        """Starts the services, by default all that exist, and waits for each; running ones are left alone."""

        async def start(service: str) -> str:
            found = self.processes.alive(service)
            self.start_service(service)
            await self.wait_ready(service)
            return "already running" if found else "ready"

        await self._all_of(services or self.instance.services, str, start)

    async def start_simulators(self) -> None:
        """Starts the simulated vendors that the instance names; what they were told is kept from run to run."""

        async def start(name: str) -> str:
            port = self.instance.file.simulators[name]
            state = self.instance.fleet_folder / f"{name}.json"
            found = self.processes.alive(name)
            module = f"flotilla.testing.simulators.{name}"
            command = [sys.executable, "-m", module, "--port", str(port), "--state", str(state)]
            # What calls the fleet from outside knows its authority as it would a public one.
            known = {"SSL_CERT_FILE": str(self.instance.ca_file)} if self.instance.tls else {}
            self.processes.start(name, command, {**_inherited(), **known}, cwd=self.instance.root)
            await self.processes.wait_ready(name, lambda: answers(port, "/simulator/sent"), READY_SECONDS)
            return "already running" if found else "ready"

        await self._all_of(self.instance.file.simulators, lambda name: f"{name} (simulated)", start)

    async def stop_simulators(self) -> None:
        """Stops them."""
        await self._all_of(
            self.instance.file.simulators,
            lambda name: f"{name} (simulated)",
            lambda name: _stopped(self.processes.stop(name, GRACE_SECONDS)),
        )

    def start_log_shipper(self) -> bool:
        """Send what the services write to the store of logs, where the instance has one."""
        url = self.instance.elasticsearch_url
        if not url:
            return False
        told = {
            "ELASTICSEARCH_URL": url,
            "DOCUMENTS_PREFIX": self.instance.documents_prefix,
            "LOGS_FOLDER": str(self.instance.fleet_folder / "logs"),
            "LOGS_SERVICES": ",".join(self.instance.services),
            "LOGS_POSITIONS": str(self.instance.fleet_folder / "log-shipper.json"),
            **({"TLS_CA_FILE": str(self.instance.ca_file)} if self.instance.tls else {}),
        }
        self.processes.start(
            LOG_SHIPPER,
            [sys.executable, "-m", "flotilla.log_store"],
            {**_inherited(), **{f"FLOTILLA_{name}": value for name, value in told.items()}},
            cwd=self.instance.root,
        )
        return True

    async def stop_log_shipper(self) -> None:
        """What it has not sent it sends when it is started again."""
        await self._all_of(
            [LOG_SHIPPER], str, lambda name: _stopped(self.processes.stop(name, GRACE_SECONDS))
        )

    async def stop_services(self, services: Sequence[str] | None = None) -> None:
        """SIGTERM to each, and what still runs after its grace period is killed."""
        await self._all_of(
            services or self.instance.services,
            str,
            lambda name: _stopped(self.processes.stop(name, GRACE_SECONDS)),
        )

    async def _installed(self, server: Server) -> bool:
        try:
            await server.install()
        except ServerUnavailableError as unavailable:
            self._report(server.name, str(unavailable), 0.0)
            return False
        return True

    async def _started(self, server: Server) -> str:
        found = server.status().state == "running"
        await server.start()
        return "already running" if found else "ready"

    async def _all_of(
        self, things: Iterable[Named], name: Callable[[Named], str], do: Callable[[Named], Awaitable[str]]
    ) -> None:
        """All at once, each reported as it is done; the first failure is raised when all have ended."""

        async def timed(thing: Named) -> None:
            began = time.monotonic()
            outcome = await do(thing)
            if outcome:
                self._report(name(thing), outcome, time.monotonic() - began)

        outcomes = await asyncio.gather(*(timed(thing) for thing in things), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome


async def answers(port: int, path: str, tls: ssl.SSLContext | None = None) -> bool:
    """Whether a GET on loopback answers 200; no client is kept, and none is imported, for so little."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, port, ssl=tls)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status.split(b" ")[1:2] == [b"200"]


async def _stopped(stopping: Awaitable[bool]) -> str:
    return "stopped" if await stopping else ""


def _inherited() -> dict[str, str]:
    """Beside its own settings a service sees of the caller's environment only what every program needs."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR") if name in os.environ}
