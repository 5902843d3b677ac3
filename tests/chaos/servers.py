"""The subject on servers of its own, with a network between that can be told to misbehave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
from flotilla.bus import relay
from flotilla.instance import HOST, Instance
from flotilla.native.node import PLAIN_ENVIRONMENT
from flotilla.testing import Client, eventually
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.nodes import Nodes, own_nodes
from tests.chaos import subject
from tests.chaos.clients import Clients
from tests.chaos.replicas import Replicas, two_replicas
from tests.chaos.toxiproxy import Toxiproxy, running_toxiproxy
from tests.chaos.vendor import Vendor, running_vendor

BROKER: Final = "rabbitmq"
DATABASE: Final = "postgres"
RABBITMQCTL: Final = "/usr/lib/rabbitmq/bin/rabbitmqctl"
NORMAL_WATERMARK: Final = "0.4"
WAITING: Final = "SELECT EXISTS (SELECT FROM crm_bus.outbox WHERE written_at < now() - $1::interval)"


@dataclass(frozen=True)
class Stage:
    """All that takes part."""

    nodes: Nodes
    network: Toxiproxy
    clients: Clients
    vendor: Vendor
    replicas: Replicas

    async def promises(self, number: int = 40, seconds: float = 180) -> None:
        """Wait for so many more promises: life goes on."""
        acknowledged = self.clients.history.acknowledged
        wanted = len(acknowledged) + number
        async with asyncio.timeout(seconds):
            while len(acknowledged) < wanted:
                assert not self.clients.surprises, self.clients.surprises[:3]
                await asyncio.sleep(0.05)  # sleep: between two looks

    async def noticed(self, server: str, seconds: float = 180) -> None:
        """Wait until each replica says that this server is away."""
        for client in self.replicas.reached():
            await eventually(partial(_says_away, client, server), seconds=seconds, what=server)

    async def alarm(self, on: bool) -> None:
        """The broker has no memory left, it says, and stops reading from whoever publishes."""
        watermark = "0.000001" if on else NORMAL_WATERMARK
        await _rabbitmqctl(self.nodes.instance, "set_vm_memory_high_watermark", watermark)

    async def confirming(self, on: bool) -> None:
        """Whether the broker confirms: its queues are halted, while it reads, answers and beats as ever."""
        vhost = self.nodes.instance.vhost
        act = "resume" if on else "suspend"
        queues = f'Queue <- rabbit_amqqueue:list(<<"{vhost}">>), {{Name, _}} <- [amqqueue:get_pid(Queue)]'
        await _rabbitmqctl(self.nodes.instance, "eval", f"[sys:{act}(Name) || {queues}].")

    async def unconfirmed(self, seconds: float = 240) -> None:
        """Wait until what was published has waited for its confirms in vain."""
        connection = await asyncpg.connect(self.nodes.instance.admin_dsn(), timeout=10)

        async def given_up() -> bool:
            return bool(await connection.fetchval(WAITING, timedelta(seconds=1.5 * relay.CONFIRM_SECONDS)))

        try:
            await eventually(given_up, seconds=seconds, what="a time limit has passed")
        finally:
            await connection.close()


@asynccontextmanager
async def staged(folder: Path, start_service: StartService, org: UUID) -> AsyncIterator[Stage]:
    """Servers, network, vendor, two replicas, and clients that have not asked yet."""
    async with (
        own_nodes(folder, subject.service) as nodes,
        start_service(subject.service, instance=nodes.instance, lanes_paused=True) as watching,
        running_vendor() as vendor,
        running_toxiproxy() as network,
    ):
        ways = {
            "amqp_url": await _way(network, BROKER, nodes.instance.amqp_url, nodes.instance.ports.rabbitmq),
            "postgres_dsn": await _way(
                network, DATABASE, nodes.instance.runtime_dsn("crm"), nodes.instance.ports.postgres
            ),
        }
        async with two_replicas(
            nodes.instance, watching.client(org), folder, vendor_port=vendor.port, **ways
        ) as replicas:
            clients = Clients(replicas.reached, seed=2)
            yield Stage(nodes, network, clients, vendor, replicas)


async def _says_away(client: Client, server: str) -> bool:
    answer = await client.get("/readyz")
    return bool(answer.json()["dependencies"][server] == "away")


async def _way(network: Toxiproxy, name: str, url: str, port: int) -> str:
    return url.replace(f"@{HOST}:{port}/", f"@{HOST}:{await network.way_to(name, port)}/")


async def _rabbitmqctl(instance: Instance, *words: str) -> None:
    environment = {
        **PLAIN_ENVIRONMENT,
        "HOME": str(instance.folder / "rabbitmq"),
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": str(instance.ports.epmd),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    }
    node = f"flotilla_{instance.name}@localhost"
    process = await asyncio.create_subprocess_exec(
        RABBITMQCTL,
        "-n",
        node,
        *words,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
