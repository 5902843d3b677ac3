"""What a lane does with an event that was delivered before, and what becomes of a process whose loop ends."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import aio_pika
import pytest
from flotilla.bus import consumer
from flotilla.bus.jobs import TimerLoop
from flotilla.bus.suspects import STARTS
from flotilla.instance import Instance
from flotilla.process import LoopEndedError, opened, working
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import settings_for
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.samples import applied, task
from libs.common.tests.bus.workshop import outside, service


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    async with isolated(service, worker) as instance:
        yield instance


async def deliver_in_vain(instance: Instance, times: int) -> None:
    """As to processes that died, or were told to stop, with it in hand."""
    async with await aio_pika.connect(instance.amqp_url) as connection:
        queue = await (await connection.channel()).get_queue("crm.work")
        for _ in range(times):
            message = await eventually(lambda: queue.get(fail=False))
            assert message
            await message.nack(requeue=True)


async def test_a_store_that_is_away_is_not_taken_for_an_event_that_kills(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    async with start_service(service, instance=stores, lanes_paused=True) as publisher:
        await publisher.publish(wanted := task("needs a store"), org=org)
        await deliver_in_vain(stores, STARTS - 1)
        outside.away_for = STARTS + 2
        async with start_service(service, instance=stores) as patient:
            await eventually(lambda: _done(patient, org, wanted.task_id))
        assert await publisher.app.db.fetch("SELECT * FROM parked_events") == []
        assert await publisher.app.db.fetch("SELECT * FROM suspects") == []


async def test_a_store_that_answers_is_not_waited_for_for_ever(
    stores: Instance, start_service: StartService, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event whose statement takes too long, say, looks like a store that is away."""
    monkeypatch.setattr(consumer, "PATIENCE", 3)
    monkeypatch.setattr(outside, "away_for", 1_000_000)
    async with start_service(service, instance=stores) as harness:
        bad, good = task("needs a store"), task()
        for each in (bad, good):
            await harness.publish(each, org=org)
        await eventually(lambda: _done(harness, org, good.task_id))
        rows = await harness.app.db.fetch("SELECT handler, error FROM parked_events")
        assert [(row["handler"], row["error"]) for row in rows] == [("obey", "ConnectionError")]


async def _done(harness: Harness, org: UUID, task_id: UUID) -> bool:
    acknowledged = not await harness.app.db.fetch("SELECT * FROM suspects")
    return acknowledged and await applied(harness, org) == {task_id: 1}


@pytest.mark.parametrize("failing", [True, False])
async def test_half_a_service_is_none(
    stores: Instance, monkeypatch: pytest.MonkeyPatch, failing: bool
) -> None:
    async def end(_: TimerLoop) -> None:
        if failing:
            raise ZeroDivisionError

    monkeypatch.setattr(TimerLoop, "run", end)
    with pytest.raises(ZeroDivisionError if failing else LoopEndedError):
        await _until_it_stops(stores)


async def _until_it_stops(stores: Instance) -> None:
    """A process ends with such an error, and its platform starts it again."""
    async with opened(service, settings_for(service, stores, {})) as app, working(app):
        async with asyncio.timeout(10):
            await app.stopping.wait()
