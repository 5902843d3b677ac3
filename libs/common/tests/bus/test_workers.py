"""What a process does on its own: one replica at a time where it is leased, and again after any failure."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from flotilla.app import App
from flotilla.bus import workers
from flotilla.bus.declare import Worker
from flotilla.bus.workers import run_worker
from flotilla.testing import Harness, eventually

SOON = timedelta(milliseconds=10)


@asynccontextmanager
async def at_work(harness: Harness, worker: Worker, replicas: int = 1) -> AsyncIterator[None]:
    """Its loops, in processes as far as the lease can tell; told to stop at the end."""
    told_to_stop = App(**{**vars(harness.app), "stopping": asyncio.Event()})
    loops = [asyncio.create_task(run_worker(told_to_stop, worker)) for _ in range(replicas)]
    try:
        yield
    finally:
        told_to_stop.stopping.set()
        await asyncio.wait_for(asyncio.gather(*loops), 10)


async def test_of_two_replicas_one_has_the_turn(still: Harness) -> None:
    turns, at_once, most = 0, 0, 0

    async def run(_: App) -> None:
        nonlocal turns, at_once, most
        turns, at_once = turns + 1, at_once + 1
        most = max(most, at_once)
        await still.app.db.fetchval("SELECT pg_sleep(0.01)")
        at_once -= 1

    async def often() -> bool:
        return turns >= 10

    async with at_work(still, Worker("turns", SOON, run), replicas=3):
        await eventually(often)
    assert most == 1
    left = await still.app.db.fetchval("SELECT count(*) FROM leases WHERE name = 'turns'")
    assert left == 0, "the next process need not wait for the lease to run out"


async def test_a_lease_left_by_a_dead_process_runs_out(still: Harness) -> None:
    sql = "INSERT INTO leases VALUES ('left', gen_random_uuid(), now() + $1::interval)"
    await still.app.db.execute(sql, timedelta(milliseconds=300))
    began = asyncio.Event()

    async def run(_: App) -> None:
        began.set()

    async with at_work(still, Worker("left", SOON, run)):
        assert not began.is_set()
        await asyncio.wait_for(began.wait(), 10)
    expired = await still.app.db.fetchval("SELECT count(*) FROM leases WHERE name = 'left'")
    assert expired == 0


@pytest.mark.parametrize("error", [ValueError("anything"), ConnectionError("away"), TimeoutError()])
async def test_a_failure_costs_one_turn(still: Harness, error: Exception) -> None:
    turns = 0

    async def run(_: App) -> None:
        nonlocal turns
        turns += 1
        raise error

    async def again() -> bool:
        return turns >= 3

    async with at_work(still, Worker("failing", SOON, run, leased=False)):
        await eventually(again)


async def test_a_turn_ends_before_its_lease_does(still: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MIN_LEASE", timedelta(milliseconds=100))
    cut = asyncio.Event()

    async def run(_: App) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.set()
            raise

    async with at_work(still, Worker("endless", SOON, run)):
        await asyncio.wait_for(cut.wait(), 10)
