"""The whole fleet on servers of its own, every service with two replicas, and everybody who calls it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.processes import Processes
from flotilla.service import FLEET
from flotilla.testing import eventually
from flotilla.testing.people import Office, Person
from flotilla.testing.ports import free_ports
from flotilla.testing.private import postgres_data, private_instance
from flotilla.testing.simulators.telegram import TelegramSimulator

from tests.chaos.callers import Answerer, Colleague, Customers, acting
from tests.chaos.gateways import Gateways

TOLD: Final = {
    "FLOTILLA_LIMIT_SIGN_IN": "10000/60",
    "FLOTILLA_LIMIT_HOOK": "1000000/60",
    "FLOTILLA_LIMIT_SESSION": "1000000/60",
    "FLOTILLA_LIMIT_DEAR": "1000000/60",
    "FLOTILLA_LIMIT_OPEN": "1000000/60",
    "FLOTILLA_BLOCK_POINTS": "100000000",
    "FLOTILLA_SCREEN_ROUTE_REQUESTS": "1000000",
    "FLOTILLA_UPSTREAM_CONNECT_SECONDS": "60",
    "FLOTILLA_UPSTREAM_ANSWER_SECONDS": "60",
}
"""No limit stands in the load's way, and slowness alone is nobody's failure: many processes start on few processors."""
TIME_LIMIT: Final = aiohttp.ClientTimeout(total=120)
READY_SECONDS: Final = 240.0


class Pair:
    """Two fleets on one set of servers: each service's two replicas. Both gateways know all addresses."""

    def __init__(self, instance: Instance) -> None:
        ports = iter(free_ports(2 * len(FLEET)))
        replicas = [dict(zip(FLEET, ports, strict=False)) for _ in range(2)]
        upstreams = ",".join(
            f"{name}={'|'.join(f'http://127.0.0.1:{each[name]}' for each in replicas)}"
            for name in FLEET
            if name != "gateway"
        )
        told = instance.with_isolation(overrides={"FLOTILLA_UPSTREAMS": upstreams, **TOLD})
        self.fleets = [
            Fleet(replace(told, service_ports=each, fleet_folder=instance.folder / f"replica{number}"))
            for number, each in enumerate(replicas, start=1)
        ]
        self.servers = {server.name: server for server in self.fleets[0].servers()}
        self._records = Processes(instance.folder / "run", instance.folder / "logs")

    @property
    def instance(self) -> Instance:
        """The first one's."""
        return self.fleets[0].instance

    async def crash(self, server: str) -> None:
        """SIGKILL, and start it again."""
        self._records.kill(server)
        await self.servers[server].start()

    async def kill(self, *services: str) -> None:
        """SIGKILL of the first replica of each, and another in its place."""
        for service in services:
            self.fleets[0].processes.kill(service)
        await self._start(0, services)

    async def restart(self, replica: int, *services: str) -> None:
        """As a deployment does: SIGTERM, its grace period, and another in its place."""
        await self.fleets[replica].stop_services(services)
        await self._start(replica, services)

    async def start(self, doubled: Sequence[str]) -> None:
        """Everything, for the first time; `doubled`: which have two replicas."""
        await self.fleets[0].start_servers()
        await self.fleets[0].migrate()
        await self._start(0, FLEET)
        await self._start(1, doubled)

    async def stop(self) -> None:
        """Everything, and what it kept."""
        await asyncio.gather(*(fleet.stop_services() for fleet in self.fleets))
        await self.fleets[0].stop_servers()
        shutil.rmtree(postgres_data(self.instance), ignore_errors=True)

    async def _start(self, replica: int, services: Sequence[str]) -> None:
        fleet = self.fleets[replica]
        for service in services:
            fleet.start_service(service)
        await asyncio.gather(*(fleet.wait_ready(service, READY_SECONDS) for service in services))


@asynccontextmanager
async def pair_of_fleets(folder: Path, doubled: Sequence[str]) -> AsyncIterator[Pair]:
    """Started, with everything of their own; stopped and removed afterwards. `doubled`: which have two replicas."""
    pair = Pair(private_instance(folder))
    try:
        await pair.start(doubled)
        yield pair
    finally:
        await pair.stop()


@dataclass
class Callers:
    """Everybody who calls the fleet."""

    telegram: TelegramSimulator
    gateways: Gateways
    customers: Customers
    colleague: Colleague
    answerer: Answerer

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """While the block runs."""
        acts = (self.customers.act, self.customers.act, self.colleague.act, self.answerer.act)
        async with acting(*acts):
            yield

    async def more(self) -> None:
        """Wait until more was asked of every service, and answered."""
        await self.customers.more()
        await self.colleague.more()


@asynccontextmanager
async def callers_of(pair: Pair) -> AsyncIterator[Callers]:
    """An office with a bot, its customers, and its owner, whom every service knows and answers."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        TelegramSimulator.running() as telegram,
        aiohttp.ClientSession(timeout=TIME_LIMIT, connector=connector) as session,
    ):
        office = await Office.found(Person(pair.instance.public_url, session), telegram, "Harbour")
        gateways = Gateways(session, [fleet.instance.public_url for fleet in pair.fleets])
        customers = Customers(office, gateways)
        colleague = Colleague(office, gateways, customers.history.told)
        await colleague.sign_in()
        await eventually(partial(_all_answer, colleague), seconds=READY_SECONDS, what="every service answers")
        yield Callers(telegram, gateways, customers, colleague, Answerer(colleague))


async def _all_answer(colleague: Colleague) -> bool:
    """Whether a round of asking leaves nothing to be written down."""
    colleague.gateways.failures.clear()
    colleague.gateways.surprises.clear()
    await colleague.act()
    assert not colleague.gateways.failures, colleague.gateways.failures
    return True
