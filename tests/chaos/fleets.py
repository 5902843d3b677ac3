"""The whole fleet on servers of its own, every service with two replicas, and customers who write all the time."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
import asyncpg
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.processes import Processes
from flotilla.service import FLEET
from flotilla.store.documents import Documents
from flotilla.testing import eventually
from flotilla.testing.people import Office, Person
from flotilla.testing.ports import free_ports
from flotilla.testing.private import postgres_data, private_instance
from flotilla.testing.simulators.telegram import TelegramSimulator

from tests.chaos.history import Found, History

QUESTION: Final = "Hello, how long does delivery to Germany take?"
TIME_LIMIT: Final = aiohttp.ClientTimeout(total=30)
CHATS: Final = (
    "JOIN messaging.conversations c ON c.organization_id = e.organization_id AND c.id = e.conversation_id"
)
EFFECTS: Final = {
    "conversation": "SELECT chat, count(*) FROM messaging.conversations GROUP BY 1",
    "message": f"SELECT chat, count(*) FROM messaging.messages e {CHATS} WHERE e.direction = 'in' GROUP BY 1",
    "contact": "SELECT address AS chat, count(*) FROM crm.channel_identities GROUP BY 1",
    "analysis": f"SELECT chat, count(*) FROM ai.analyses e {CHATS} GROUP BY 1",
    "draft": f"SELECT chat, count(*) FROM ai.drafts e {CHATS} GROUP BY 1",
    "live": """
        SELECT chat, count(*) FROM websocket.feed e JOIN messaging.conversations c
        ON c.organization_id = e.organization_id AND c.id = (e.event::jsonb #>> '{data,conversation_id}')::uuid
        WHERE e.type = 'message.received.v1' GROUP BY 1""",
    "archived": """
        SELECT chat, count(*) FROM analytics.archive e JOIN messaging.conversations c
        ON c.organization_id = e.organization_id AND c.id = (e.data ->> 'conversation_id')::uuid
        WHERE e.type = 'message.received.v1' GROUP BY 1""",
}
"""What one message of a customer does; each customer writes one, in a chat of their own."""
MESSAGES: Final = "SELECT organization_id, array_agg(id) AS ids FROM messaging.messages GROUP BY 1"


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
        limits = {"FLOTILLA_LIMIT_SIGN_IN": "10000/60", "FLOTILLA_LIMIT_HOOK": "1000000/60"}
        told = instance.with_isolation(overrides={"FLOTILLA_UPSTREAMS": upstreams, **limits})
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

    async def kill(self, service: str, replica: int = 0) -> None:
        """SIGKILL of one replica, and another in its place."""
        self.fleets[replica].processes.kill(service)
        await self._again(service, replica)

    async def restart(self, service: str, replica: int) -> None:
        """As a deployment does: SIGTERM, its grace period, and another in its place."""
        await self.fleets[replica].stop_services([service])
        await self._again(service, replica)

    async def _again(self, service: str, replica: int) -> None:
        self.fleets[replica].start_service(service)
        await self.fleets[replica].wait_ready(service)


class Customers:
    """They write through either gateway, and again until they are answered 200, as Telegram does for them."""

    def __init__(self, office: Office, session: aiohttp.ClientSession, gateways: list[str]) -> None:
        self.history = History()
        self.failures: Counter[str] = Counter()
        """What went wrong at a gateway that took the request."""
        self._office = office
        self._session = session
        self._gateways = gateways
        self._number = 0

    @asynccontextmanager
    async def writing(self, number: int = 2) -> AsyncIterator[None]:
        """While the block runs; what they have begun they finish."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self._write_on(stop)) for _ in range(number)]
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(60):
                await asyncio.gather(*tasks)

    async def more(self, number: int = 8, seconds: float = 60) -> None:
        """Wait for so many more that were answered."""
        wanted = len(self.history.acknowledged) + number

        async def come() -> bool:
            return len(self.history.acknowledged) >= wanted

        await eventually(come, seconds=seconds, what=f"{number} more messages were taken")

    async def _write_on(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._number += 1
            chat = 1000 + self._number
            office = self._office
            update = office.telegram.update(
                office.token, chat=chat, text=f"{QUESTION} #{chat}", name=f"Customer {chat}"
            )

            async def taken(update: dict[str, Any] = update, chat: int = chat) -> bool:
                return await self._deliver(update, chat)

            await eventually(taken, seconds=60, what="the gateway takes it")
            self.history.acknowledged.add(UUID(int=chat))
            await asyncio.sleep(0.1)  # sleep: the pace of the load

    async def _deliver(self, update: dict[str, Any], chat: int) -> bool:
        bot = self._office.telegram.bots[self._office.token]
        path = bot.url.partition("/v1/")[2]
        headers = {"X-Telegram-Bot-Api-Secret-Token": bot.secret}
        for gateway in (self._gateways[chat % 2], self._gateways[1 - chat % 2]):
            try:
                async with self._session.post(f"{gateway}/v1/{path}", json=update, headers=headers) as answer:
                    body = await answer.read()
                    if answer.status != 200:
                        said = body.partition(b',"request_id"')[0]  # the same words for each of many
                        self.failures[f"{answer.status} {said[:200]!r}"] += 1
                    return answer.status == 200
            except aiohttp.ClientConnectorError:
                continue  # it takes no connections: a balancer goes to the other one
            except (aiohttp.ClientError, TimeoutError) as error:
                self.failures[repr(error)] += 1
                return False
        return False


async def read(instance: Instance) -> Found:
    """How often each effect of each customer's message is there. A customer is the UUID of the chat's number."""
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    documents = Documents.open(instance.documents_url, f"{instance.documents_prefix}_messaging")
    try:
        effects = {
            name: Counter({UUID(int=int(row["chat"])): row["count"] for row in await connection.fetch(query)})
            for name, query in EFFECTS.items()
        }
        for row in await connection.fetch(MESSAGES):
            bodies = await documents.collection("bodies").find_by_ids(row["organization_id"], row["ids"])
            assert len(bodies) == len(row["ids"]), "messages without a body"
        return Found(effects, {}, {})
    finally:
        await documents.close()
        await connection.close()


@asynccontextmanager
async def pair_of_fleets(folder: Path, doubled: Sequence[str]) -> AsyncIterator[Pair]:
    """Started, with everything of their own; stopped and removed afterwards. `doubled`: which have two replicas."""
    pair = Pair(private_instance(folder))
    try:
        await pair.fleets[0].start_servers()
        await pair.fleets[0].migrate()
        await pair.fleets[0].start_services()
        await pair.fleets[1].start_services(doubled)
        yield pair
    finally:
        for fleet in pair.fleets:
            await fleet.stop_services()
        await pair.fleets[0].stop_servers()
        shutil.rmtree(postgres_data(pair.instance), ignore_errors=True)


@asynccontextmanager
async def customers_of(pair: Pair) -> AsyncIterator[Customers]:
    """An office with a bot, and its customers."""
    async with TelegramSimulator.running() as telegram, aiohttp.ClientSession(timeout=TIME_LIMIT) as session:
        office = await Office.found(Person(pair.instance.public_url, session), telegram, "Harbour")
        yield Customers(office, session, [fleet.instance.public_url for fleet in pair.fleets])
