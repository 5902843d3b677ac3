"""The broker or the database dies and comes back under steady traffic: nothing is lost and nothing doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.nodes import Nodes, own_nodes
from libs.common.tests.bus.samples import applied
from libs.common.tests.bus.workshop import service

PAUSE = 0.02


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with own_nodes(tmp_path, service) as own:
        yield own


class Traffic:
    """Somebody who asks for something again and again, and remembers what was promised."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.promised: list[UUID] = []
        self.refused = 0
        self.surprises: list[bytes] = []

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator["Traffic"]:
        """While the block runs."""
        flow = asyncio.create_task(self._flow())
        try:
            yield self
        finally:
            flow.cancel()
            await asyncio.gather(flow, return_exceptions=True)

    async def more(self, number: int = 30) -> None:
        """Wait for so many more promises."""
        wanted = len(self.promised) + number

        async def promised() -> bool:
            assert not self.surprises
            return len(self.promised) >= wanted

        await eventually(promised, seconds=40)

    async def _flow(self) -> None:
        while True:
            task_id = new_id()
            with suppress(aiohttp.ClientError, OSError):
                answer = await self._client.post("/v1/tasks", {"task_id": str(task_id)})
                if answer.status == 201:
                    self.promised.append(task_id)
                elif answer.status == 503 and "Retry-After" in answer.headers:
                    self.refused += 1
                else:
                    self.surprises.append(answer.body)
            await asyncio.sleep(PAUSE)  # sleep: the pace of the traffic


async def readiness(harness: Harness) -> dict[str, str]:
    answer = await harness.anonymous().get("/readyz")
    body = answer.json()
    assert (answer.status == 200) == (body["status"] == "ready")
    found: dict[str, str] = body["dependencies"]
    return found


async def says(harness: Harness, **expected: str) -> bool:
    return await readiness(harness) == {"postgres": "ok", "rabbitmq": "ok"} | expected


async def everything_once(harness: Harness, org: UUID, traffic: Traffic) -> bool:
    """Each promise has its effect once, by way of outbox, broker and lane; and nothing is left anywhere."""
    assert not traffic.surprises
    found = await applied(harness, org)
    assert set(traffic.promised) <= set(found), f"{len(set(traffic.promised) - set(found))} lost"
    assert max(found.values()) == 1, "an effect was doubled"
    parked = await harness.app.db.fetch("SELECT handler, error FROM parked_events")
    assert not parked, parked
    return bool(await harness.app.db.fetchval("SELECT count(*) FROM outbox") == 0)


async def test_nothing_is_lost_or_doubled_when_a_server_dies_and_comes_back(
    nodes: Nodes, start_service: StartService, org: UUID
) -> None:
    """In one go, because the servers take longest: each of them stopped as its commands do, and killed."""
    async with start_service(service, instance=nodes.instance) as harness:
        async with Traffic(harness.client(org)).flowing() as traffic:
            for clean in (True, False):
                await the_broker_comes_back(nodes, harness, traffic, clean)
            assert traffic.refused == 0, "what the broker's absence costs is time"
            for clean in (True, False):
                await the_database_comes_back(nodes, harness, traffic, clean)
        await eventually(lambda: everything_once(harness, org, traffic), seconds=40)


async def the_broker_comes_back(nodes: Nodes, harness: Harness, traffic: Traffic, clean: bool) -> None:
    await traffic.more()
    await nodes.end(nodes.rabbitmq, clean)
    await eventually(lambda: says(harness, rabbitmq="away"), what="away")
    await traffic.more()
    await nodes.rabbitmq.start()
    await eventually(lambda: says(harness), seconds=40, what="ready again")


async def the_database_comes_back(nodes: Nodes, harness: Harness, traffic: Traffic, clean: bool) -> None:
    await traffic.more()
    refused = traffic.refused
    await nodes.end(nodes.postgres, clean)
    await eventually(lambda: says(harness, postgres="away"), what="away")

    async def told_to_come_again() -> bool:
        assert not traffic.surprises
        return traffic.refused > refused

    await eventually(told_to_come_again)
    await nodes.postgres.start()
    await eventually(lambda: says(harness), seconds=40, what="ready again")
