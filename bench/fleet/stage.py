"""A stage for many people who look on: auth, gateways and websocket, and processes that hold people's sockets.

Each socket is another person's, of one of so many organizations. A tunnel is two files to a gateway: there are as many
gateways as this machine's limit of open files asks for.
"""

import asyncio
import math
import os
import resource
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from flotilla.fleet import Fleet
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.native.vhost import delete_vhost
from flotilla.processes import memory
from flotilla.security.sealing import Keyring
from flotilla.testing.isolation import drop_database
from flotilla.testing.ports import free_ports
from flotilla_auth.domain.signing import SigningKey
from flotilla_auth.signing import AccessTokens

from bench import day
from bench.fleet.crowd import Crowd, Sight
from bench.fleet.spent import cpu_by_process, pids

SERVICES: Final = ("auth", "gateway", "websocket")
HOLDERS: Final = ("gateway", "websocket")
WATCHED: Final = (*HOLDERS, "redis")
ORGANIZATIONS: Final = 100
FILES_A_TUNNEL: Final = 2
FILES_BESIDE: Final = 500
"""A gateway's own, and connections that are not tunnels."""
KEYS: Final = """
SELECT id, public_key, sealed_private_key, signs_from, not_after FROM auth.signing_keys ORDER BY signs_from"""


@dataclass
class Stage:
    """The fleet, its gateways, and who looks on."""

    fleet: Fleet
    gateways: Mapping[str, int]
    """Beside the first: their ports."""
    tokens: AccessTokens
    organizations: Sequence[UUID]
    crowds: list[asyncio.subprocess.Process]

    def cpu(self) -> dict[str, float]:
        """Seconds so far, by service or server."""
        found = dict.fromkeys(WATCHED, 0.0)
        for name, seconds in cpu_by_process(pids(self.fleet) | self._replicas()).items():
            if (process := name.partition("-")[0]) in found:
                found[process] += seconds
        return found

    def memory(self) -> dict[str, int]:
        """Bytes of the services that hold sockets, by service; the kernel's buffers are not among them."""
        found = dict.fromkeys(HOLDERS, 0)
        for name, pid in (pids(self.fleet) | self._replicas()).items():
            if (service := name.partition("-")[0]) in found:
                found[service] += memory(pid)
        return found

    def _replicas(self) -> dict[str, int]:
        processes = self.fleet.processes
        return {name: record.pid for name in self.gateways if (record := processes.record(name))}

    async def come(self, number: int) -> float:
        """So many more people connect: seconds."""
        ports = [self.fleet.instance.service_ports["gateway"], *self.gateways.values()]
        now, addresses = datetime.now(UTC), [f"http://127.0.0.1:{port}" for port in ports]
        bearers = [
            self.tokens.sign(
                user_id=new_id(),
                organization_id=self.organizations[each % len(self.organizations)],
                session_id=new_id(),
                role="owner",
                role_id=None,
                authenticated_at=now,
                factors=1,
                now=now,
            )
            for each in range(number)
        ]
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.fleet.crowd"),
            cwd=Path(__file__).parent.parent.parent,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.crowds.append(child)
        return float(await _told(child, msgspec.json.encode(Crowd(addresses, bearers))))

    async def seen(self) -> list[Sight]:
        """What each crowd saw since it was asked last."""
        return [msgspec.json.decode(await _told(each, b"say"), type=Sight) for each in self.crowds]


@asynccontextmanager
async def staged(most: int) -> AsyncIterator[Stage]:
    """For so many sockets; gone afterwards."""
    name = f"t_{os.getpid()}_sockets"
    instance = Instance.load("test").with_isolation(
        database=name, vhost=name, documents_prefix=name, redis_index=252
    )
    fleet = Fleet(instance)
    wanted = math.ceil(most * FILES_A_TUNNEL / (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - FILES_BESIDE))
    names = [f"gateway-{each}" for each in range(2, wanted + 1)]
    gateways = dict(zip(names, free_ports(len(names)), strict=True))
    crowds: list[asyncio.subprocess.Process] = []
    try:
        await fleet.migrate()
        await fleet.start_services(SERVICES)
        await day.replicated(fleet, gateways)
        organizations = [new_id() for _ in range(ORGANIZATIONS)]
        yield Stage(fleet, gateways, await _tokens(instance), organizations, crowds)
    finally:
        for crowd in crowds:
            if crowd.returncode is None:
                crowd.kill()
            await crowd.wait()
        await asyncio.gather(*(fleet.processes.stop(name) for name in gateways))
        await fleet.stop_services(SERVICES)
        await delete_vhost(instance)
        await drop_database(instance)


async def _tokens(instance: Instance) -> AccessTokens:
    """The fleet's own keys: ten thousand people need not sign up, whose passwords would be hashed for ten minutes."""
    tokens = AccessTokens(Keyring(instance.secrets.keyring), instance.file.region)
    connection = await asyncpg.connect(instance.admin_dsn())
    try:
        tokens.know([SigningKey(**row) for row in await connection.fetch(KEYS)])
    finally:
        await connection.close()
    return tokens


async def _told(child: asyncio.subprocess.Process, what: bytes) -> bytes:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(what + b"\n")
    await child.stdin.drain()
    said = await child.stdout.readline()
    assert said, "the crowd ended early"
    return said
