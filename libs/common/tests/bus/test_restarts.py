"""The broker or the database dies and comes back under steady traffic: nothing is lost and nothing doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with own_nodes(tmp_path_factory.mktemp("nodes"), service) as own:
        yield own


class Traffic:
    """Somebody who asks for something again and again, and remembers what was promised."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.promised: list[UUID] = []
        self.refused = 0

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator["Traffic"]:
        """While the block runs."""
        flow = asyncio.create_task(self._flow())
        try:
            yield self
        finally:
            flow.cancel()
            (end,) = await asyncio.gather(flow, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError), repr(end)

    async def more(self, number: int = 30) -> None:
        """Wait for so many more promises."""
        wanted = len(self.promised) + number

        async def promised() -> bool:
            return len(self.promised) >= wanted

        await eventually(promised, seconds=40)

    async def _flow(self) -> None:
        while True:
            task_id = new_id()
            with suppress(aiohttp.ClientError, OSError):
                answer = await self._client.post("/v1/tasks", {"task_id": str(task_id)})
                if answer.status == 201:
                    self.promised.append(task_id)
                else:
                    assert answer.status == 503, answer.body
                    assert answer.headers["Retry-After"]
                    self.refused += 1
            await asyncio.sleep(PAUSE)


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
    found = await applied(harness, org)
    assert set(traffic.promised) <= set(found), f"{len(set(traffic.promised) - set(found))} lost"
    assert max(found.values()) == 1, "an effect was doubled"
    parked = await harness.app.db.fetch("SELECT handler, error FROM parked_events")
    assert not parked, parked
    return bool(await harness.app.db.fetchval("SELECT count(*) FROM outbox") == 0)


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
async def test_the_broker_comes_back(
    nodes: Nodes, start_service: StartService, org: UUID, clean: bool
) -> None:
    async with start_service(service, instance=nodes.instance) as harness:
        async with Traffic(harness.client(org)).flowing() as traffic:
            await traffic.more()
            await nodes.end(nodes.rabbitmq, clean)
            await eventually(lambda: says(harness, rabbitmq="away"), what="away")
            await traffic.more()
            await nodes.rabbitmq.start()
            await eventually(lambda: says(harness), seconds=40, what="ready again")
            await traffic.more()
        assert traffic.refused == 0, "what the broker's absence costs is time"
        await eventually(lambda: everything_once(harness, org, traffic), seconds=40)


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
async def test_the_database_comes_back(
    nodes: Nodes, start_service: StartService, org: UUID, clean: bool
) -> None:
    async with start_service(service, instance=nodes.instance) as harness:
        async with Traffic(harness.client(org)).flowing() as traffic:
            await traffic.more()
            await nodes.end(nodes.postgres, clean)
            await eventually(lambda: says(harness, postgres="away"), what="away")
            await eventually(lambda: _refused(traffic))
            await nodes.postgres.start()
            await eventually(lambda: says(harness), seconds=40, what="ready again")
            await traffic.more()
        await eventually(lambda: everything_once(harness, org, traffic), seconds=40)


async def _refused(traffic: Traffic) -> bool:
    return traffic.refused > 3
