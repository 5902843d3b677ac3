"""A process dies at the worst moment; a second one finishes what it began, and nothing happens twice."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

import aiohttp
import pytest
from flotilla.events.crm import CompanyCreated, TaskCompleted
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.testing import Harness, eventually, synthetic
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService
from flotilla.testing.synthetic import DEADLY, service

from libs.common.tests.bus.children import child
from libs.common.tests.bus.samples import applied, task


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    """Stores of this test's own: their outbox and lanes must be seen by nobody else."""
    async with isolated(service, worker) as instance:
        yield instance


async def _companies(harness: Harness, org: UUID) -> list[CompanyCreated]:
    return [event.data for event in harness.spy.of(CompanyCreated, org)]


async def test_death_between_commit_and_publish_loses_nothing(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    async with start_service(service, instance=stores) as survivor:
        await _die_in_request(stores, survivor, org, "committed")
        await eventually(lambda: _heard(survivor, org, 1), seconds=40, what="swept")


async def test_death_between_publish_and_delete_is_harmless(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    async with start_service(service, instance=stores) as survivor:
        await _die_in_request(stores, survivor, org, "published")
        await eventually(lambda: _heard(survivor, org, 2), seconds=40, what="swept")
        assert len({event.id for event in survivor.spy.of(CompanyCreated, org)}) == 1
        await eventually(lambda: _outbox_empty(survivor), seconds=40)


async def _die_in_request(stores: Instance, survivor: Harness, org: UUID, point: str) -> None:
    async with child(stores, synthetic.__name__, point) as victim:
        await victim.ready(survivor)
        with suppress(OSError, aiohttp.ClientError):
            await victim.as_seen_by(survivor.client(org)).post("/v1/companies", {"name": "Harbour"})
        assert await victim.died() == -signal.SIGKILL


async def _heard(harness: Harness, org: UUID, times: int) -> bool:
    return len(await _companies(harness, org)) >= times


async def _outbox_empty(harness: Harness) -> bool:
    return bool(await harness.app.db.fetchval("SELECT count(*) FROM outbox") == 0)


async def test_death_between_effect_and_ack_repeats_nothing(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    async with (
        child(stores, synthetic.__name__, "handled") as victim,
        start_service(service, instance=stores, lanes_paused=True) as publisher,
    ):
        wanted = [task() for _ in range(10)]
        for each in wanted:
            await publisher.publish(each, org=org)
        assert await victim.died() == -signal.SIGKILL
    async with start_service(service, instance=stores) as survivor:
        await survivor.publish(last := task(), org=org)
        everything = Counter([*(each.task_id for each in wanted), last.task_id])

        async def all_applied() -> bool:
            return await applied(survivor, org) == everything

        await eventually(all_applied)
        completed = survivor.spy.of(TaskCompleted, org)
        assert len({event.id for event in completed}) == len(completed)


async def test_an_event_that_kills_is_found_and_parked(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    async with start_service(service, instance=stores, lanes_paused=True) as publisher:
        good = [task() for _ in range(3)]
        deadly = task(DEADLY)
        for each in [good[0], deadly, *good[1:]]:
            await publisher.publish(each, org=org)
        for _ in range(8):
            async with child(stores, synthetic.__name__) as victim:
                died = asyncio.create_task(victim.died())
                parked = asyncio.create_task(eventually(lambda: _parked(publisher, org), seconds=20))
                await asyncio.wait({died, parked}, return_when=asyncio.FIRST_COMPLETED)
                found = parked.done() and not parked.exception()
                for waiting in (died, parked):
                    waiting.cancel()
                await asyncio.gather(died, parked, return_exceptions=True)
                if found:
                    break
        assert await _parked(publisher, org)
    async with start_service(service, instance=stores) as survivor:

        async def neighbours_done() -> bool:
            rows = await survivor.app.db.fetch("SELECT event_id, handler, state, error FROM parked_events")
            assert await applied(survivor, org) == Counter(each.task_id for each in good), rows
            return True

        await eventually(neighbours_done)


async def _parked(harness: Harness, org: UUID) -> bool:
    state = await harness.app.db.fetchval("SELECT state FROM parked_events WHERE organization_id = $1", org)
    return bool(state == "parked")


async def test_two_replicas_share_a_lane(stores: Instance, start_service: StartService) -> None:
    async with (
        start_service(service, instance=stores) as one,
        start_service(service, instance=stores) as _two,
    ):
        orgs = [new_id() for _ in range(5)]
        wanted = {org: Counter[UUID]() for org in orgs}
        for number in range(300):
            org = orgs[number % 5]
            each = task()
            wanted[org][each.task_id] += 1
            event_id = await one.publish(each, org=org)
            if number % 3 == 0:
                await one.publish(each, org=org, event_id=event_id)

        async def all_once() -> bool:
            return all([await applied(one, org) == wanted[org] for org in orgs])

        await eventually(all_once)
