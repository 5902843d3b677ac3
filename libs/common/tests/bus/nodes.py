"""A broker and a database of a test's own, to be killed and brought back while nobody else notices."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from flotilla.bus.topology import declare_all
from flotilla.instance import Instance
from flotilla.native.postgres import Postgres
from flotilla.native.rabbitmq import RabbitMQ
from flotilla.processes import Processes
from flotilla.service import Service
from flotilla.store.migrate import migrate_all
from flotilla.testing import eventually
from flotilla.testing.private import postgres_data, private_instance


class Nodes:
    """The two servers that a service cannot do without."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.postgres = Postgres(instance)
        self.rabbitmq = RabbitMQ(instance)
        self._processes = Processes(instance.folder / "run", instance.folder / "logs")

    async def end(self, server: Postgres | RabbitMQ, clean: bool) -> None:
        """Stop it as its own commands do, or kill it as a crash would."""
        if clean:
            await server.stop()
        else:
            self._processes.kill(server.name)


@asynccontextmanager
async def own_nodes(folder: Path, service: Service) -> AsyncIterator[Nodes]:
    """Started, migrated and declared for one service; stopped and removed afterwards."""
    nodes = Nodes(private_instance(folder))
    try:
        await nodes.postgres.start()
        await nodes.rabbitmq.start()
        await migrate_all(nodes.instance, (service,), topology=False)
        await declare_all(nodes.instance.amqp_url, [service])
        await eventually(lambda: _written_down(nodes.instance, service), what="the queues on the disk")
        yield nodes
    finally:
        await nodes.rabbitmq.stop()
        await nodes.postgres.stop()
        shutil.rmtree(postgres_data(nodes.instance), ignore_errors=True)


async def _written_down(instance: Instance, service: Service) -> bool:
    """Half a second after a declaration the broker's directory of quorum queues is safe from a crash."""
    known = b"".join(
        file.read_bytes() for file in instance.folder.glob("rabbitmq/data/*/quorum/*/names.dets")
    )
    return all(f"{service.name}.{lane.name}".encode() in known for lane in service.lanes)
