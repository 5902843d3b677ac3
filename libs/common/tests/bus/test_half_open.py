"""A broker that is there and says nothing: half-open connections, noticed by heartbeats and made anew."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from flotilla.bus.wire import connection, heartbeat
from flotilla.instance import Instance
from flotilla.testing import Harness, eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.proxies import mute_proxy
from libs.common.tests.bus.samples import applied, task
from libs.common.tests.bus.workshop import service


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    async with isolated(service, worker) as instance:
        yield instance


async def test_a_service_outlives_a_broker_that_falls_silent(
    stores: Instance, start_service: StartService, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for meanwhile is published, and what was in hand handled once, when it speaks again."""
    monkeypatch.setattr(heartbeat, "SECONDS", 1)
    monkeypatch.setattr(connection, "OPEN_SECONDS", 1)
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.2)
    async with (
        mute_proxy(stores) as (url, mute),
        start_service(service, instance=stores, amqp_url=url) as harness,
    ):
        client = harness.client(org)
        wanted = [task().task_id for _ in range(12)]

        async def ask(task_id: UUID) -> None:
            answer = await client.post("/v1/tasks", {"task_id": str(task_id)})
            assert answer.status == 201

        await asyncio.gather(*map(ask, wanted[:4]))
        await eventually(lambda: _done(harness, org, wanted[:4]))
        mute.set()
        await asyncio.gather(*map(ask, wanted[4:8]))
        await eventually(lambda: _away(harness), seconds=10, what="noticed")
        await asyncio.gather(*map(ask, wanted[8:]))
        mute.clear()
        await eventually(lambda: _done(harness, org, wanted), seconds=40, what="all done")
        await eventually(lambda: _outbox_empty(harness), seconds=40, what="all published")


async def _done(harness: Harness, org: UUID, task_ids: list[UUID]) -> bool:
    found = await applied(harness, org)
    assert all(times == 1 for times in found.values())
    return set(found) == set(task_ids)


async def _away(harness: Harness) -> bool:
    return not any(lane.consuming.is_set() for lane in harness.app.lanes)


async def _outbox_empty(harness: Harness) -> bool:
    return bool(await harness.app.db.fetchval("SELECT count(*) FROM outbox") == 0)
