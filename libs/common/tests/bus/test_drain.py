"""SIGTERM: what is in hand is finished, the rest stays where it was, and the exit status says all went well."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from flotilla.instance import Instance
from flotilla.testing import Harness, eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from libs.common.tests.bus import workshop
from libs.common.tests.bus.children import child
from libs.common.tests.bus.samples import applied, task

BATCH = workshop.service.lanes[0].batch


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    async with isolated(workshop.service, worker) as instance:
        yield instance


@pytest.fixture
async def beside(stores: Instance, start_service: StartService) -> AsyncIterator[Harness]:
    """Publishes and looks; handles nothing."""
    async with start_service(workshop.service, instance=stores, lanes_paused=True) as harness:
        yield harness


async def taking_its_time(harness: Harness) -> bool:
    """The child is in the middle of something."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'active'"
    return bool(await harness.app.db.fetchval(sql, workshop.TAKE_TIME))


async def test_a_batch_in_hand_is_finished_and_the_rest_stays(
    stores: Instance, beside: Harness, start_service: StartService, org: UUID
) -> None:
    wanted = [task("slow"), *(task() for _ in range(3 * BATCH))]
    async with child(stores, workshop.__name__) as leaving:
        await leaving.ready(beside)
        for each in wanted:
            await beside.publish(each, org=org)
        await eventually(lambda: taking_its_time(beside))
        leaving.terminate()
        assert await leaving.died() == 0
    finished = await applied(beside, org)
    assert 1 <= len(finished) <= BATCH
    assert await beside.app.db.fetchval("SELECT count(*) FROM parked_events") == 0
    async with start_service(workshop.service, instance=stores) as next_:

        async def all_once() -> bool:
            return await applied(next_, org) == Counter(each.task_id for each in wanted)

        await eventually(all_once)


async def test_a_request_in_flight_is_answered(stores: Instance, beside: Harness, org: UUID) -> None:
    async with child(stores, workshop.__name__) as leaving:
        await leaving.ready(beside)
        asked = asyncio.create_task(leaving.as_seen_by(beside.client(org)).get("/v1/notes/slow"))
        await eventually(lambda: taking_its_time(beside))
        leaving.terminate()
        answer = await asked
        assert (answer.status, answer.json()) == (200, {"read": "slowly"})
        assert await leaving.died() == 0


async def test_a_process_without_its_port_ends_and_says_so(stores: Instance, beside: Harness) -> None:
    async with child(stores, workshop.__name__) as first:
        await first.ready(beside)
        async with child(stores, workshop.__name__, port=first.port) as second:
            assert await second.died() != 0
