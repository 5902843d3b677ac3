"""What a lane does with an event that was delivered before, and what becomes of a process whose loop ends."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import aio_pika
import pytest
from flotilla.bus import consumer, suspects
from flotilla.bus.suspects import STARTS
from flotilla.bus.timers import TimerLoop
from flotilla.instance import Instance
from flotilla.process import LoopEndedError, opened, working
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import settings_for
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService
from hypothesis import given
from hypothesis import strategies as st

from libs.common.tests.bus.samples import applied, task
from libs.common.tests.bus.workshop import outside, service


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    async with isolated(service, worker) as instance:
        yield instance


async def deliver_in_vain(instance: Instance, number: int, times: int) -> None:
    """As to processes that died, or were told to stop, with so many in hand."""
    async with await aio_pika.connect(instance.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue("crm.work")
        for _ in range(times):
            held = [await eventually(lambda: queue.get(fail=False)) for _ in range(number)]
            assert held[-1]
            await held[-1].nack(requeue=True, multiple=True)


async def test_what_was_merely_returned_is_handled_in_batches(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    """A replica that stops gives back hundreds; each on its own, they would hold up the lane."""
    async with start_service(service, instance=stores, lanes_paused=True) as publisher:
        wanted = [task() for _ in range(20)]
        for each in wanted:
            await publisher.publish(each, org=org)
        await deliver_in_vain(stores, len(wanted), STARTS + 1)
    outside.batches.clear()
    async with start_service(service, instance=stores) as harness:
        await eventually(lambda: _all_done(harness, org, [each.task_id for each in wanted]))
    assert [len(batch) for batch in outside.batches] == [5, 5, 5, 5]


async def test_what_was_begun_and_not_ended_runs_alone(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    async with start_service(service, instance=stores, lanes_paused=True) as publisher:
        wanted = [task() for _ in range(5)]
        ids = [await publisher.publish(each, org=org) for each in wanted]
        await deliver_in_vain(stores, len(wanted), 1)
        await suspects.begin(publisher.app.db, [ids[2], ids[2]])
    outside.batches.clear()
    async with start_service(service, instance=stores) as harness:
        await eventually(lambda: _all_done(harness, org, [each.task_id for each in wanted]))
    assert [len(batch) for batch in outside.batches] == [2, 1, 2]
    assert outside.batches[1] == [wanted[2].task_id]


async def _all_done(harness: Harness, org: UUID, task_ids: list[UUID]) -> bool:
    acknowledged = not await harness.app.db.fetch("SELECT * FROM suspects")
    return acknowledged and await applied(harness, org) == Counter(task_ids)


@given(st.lists(st.uuids()), st.data())
def test_suspects_stand_alone_and_the_order_stays(ids: list[UUID], data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
    found = [ids[group] for group in suspects.groups(ids, dict.fromkeys(chosen, 1))]
    assert [each for group in found for each in group] == ids
    assert all(len(group) == 1 or not chosen & set(group) for group in found)
    assert not any(not chosen & {*one, *other} for one, other in itertools.pairwise(found)), (
        "what may run together does"
    )


async def test_a_store_that_is_away_is_not_taken_for_an_event_that_kills(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    async with start_service(service, instance=stores, lanes_paused=True) as publisher:
        await publisher.publish(wanted := task("needs a store"), org=org)
        await deliver_in_vain(stores, 1, STARTS - 1)
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
        rows = await eventually(lambda: harness.app.db.fetch("SELECT handler, error FROM parked_events"))
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
