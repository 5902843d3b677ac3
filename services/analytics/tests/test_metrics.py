"""Metrics are exact: whatever the order, the repeats, the blocks and the crashes, they are those of the events."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.app import App
from flotilla.ids import new_id
from flotilla_analytics.domain.histogram import bounds, bucket_of, percentile
from flotilla_analytics.store import metrics as store
from flotilla_analytics.workers.metrics import fold_next
from flotilla_analytics.workers.sealer import seal_next
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.analytics.tests.conftest import Archive, Events
from services.analytics.tests.history import START, History, happenings


async def stored(app: App, org: UUID) -> tuple[Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]:
    """What the fold has: counts by cell, and sums of milliseconds by metric, day and channel."""
    async with app.db.transaction(org) as tx:
        rows = await tx.fetch("SELECT * FROM rollups WHERE organization_id = $1", org)
    columns = ("metric", "day", "channel", "agent", "part", "bucket")
    counts = Counter({tuple(row[name] for name in columns): row["count"] for row in rows if row["count"]})
    sums: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        sums[row["metric"], row["day"], row["channel"]] += row["sum_ms"]
    return counts, +sums


class CrashError(Exception):
    """The process dies while it folds."""


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(told=st.lists(happenings, max_size=30), seed=st.integers(0, 10_000))
async def test_a_fold_gives_what_counting_gives(
    app: App, events: Events, archive: Archive, told: list[Any], seed: int
) -> None:
    org, chance = new_id(), random.Random(seed)
    history = History(events, org, told)
    disordered = history.raw + chance.choices(history.raw, k=len(history.raw) // 3) if history.raw else []
    chance.shuffle(disordered)
    while disordered:
        size = chance.randint(1, 12)
        await archive(app, disordered[:size])
        del disordered[:size]
        if chance.random() < 0.5:
            await seal_next(app.db, chance.randint(1, 9))
        if chance.random() < 0.5:
            await fold_or_crash(app, chance)
    while await seal_next(app.db, chance.randint(1, 9)):
        pass
    while await fold_or_crash(app, chance):
        pass
    assert await stored(app, org) == (history.expected, +history.sums)


async def fold_or_crash(app: App, chance: random.Random) -> bool:
    """A step of the fold, which may die when everything is written but the cursor not yet committed."""
    limit = chance.randint(1, 9)
    if chance.random() < 0.7:
        return await fold_next(app.db, limit)
    with pytest.MonkeyPatch.context() as patched:
        real = store.save

        async def die(*args: Any) -> None:
            await real(*args)
            raise CrashError

        patched.setattr(store, "save", die)
        try:
            return await fold_next(app.db, limit)
        except CrashError:
            return True


async def test_two_processes_that_fold_at_once_count_once(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    await archive(fresh, [events.raw(events.received(), org) for _ in range(60)])
    while await seal_next(fresh.db, 20):
        pass

    async def fold() -> None:
        while await fold_next(fresh.db, 7):
            pass

    await asyncio.gather(fold(), fold(), fold())
    counts, _ = await stored(fresh, org)
    assert sum(counts.values()) == 60


async def test_folding_again_from_the_start_gives_the_same(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    told: list[tuple[Any, ...]] = [
        ("state", 0, "opened", START),
        ("received", 0, START),
        ("sent", 0, START + timedelta(minutes=3), START),
        ("state", 0, "resolved", START + timedelta(hours=2)),
    ]
    history = History(events, org, told)
    await archive(fresh, history.raw)
    await seal_next(fresh.db)
    await fold_next(fresh.db)
    once = await stored(fresh, org)
    async with fresh.db.transaction(org) as tx:
        await tx.execute("DELETE FROM rollups")
        await tx.execute("DELETE FROM conversation_facts")
        await tx.execute("DELETE FROM cursors")
    await fold_next(fresh.db)
    assert await stored(fresh, org) == once == (history.expected, history.sums)


@given(st.integers(0, 10**10))
def test_a_bucket_holds_its_durations(milliseconds: int) -> None:
    shortest, longest = bounds(bucket_of(milliseconds))
    assert shortest <= milliseconds <= longest
    assert longest - shortest <= shortest / 8


@given(st.lists(st.integers(0, 10**8), min_size=1), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_percentile_is_close(durations: list[int], share: float) -> None:
    counts = Counter(map(bucket_of, durations))
    rank = max(1, -(-round(share * 100) * len(durations) // 100))
    exact = sorted(durations)[rank - 1]
    estimated = percentile(list(counts.items()), share)
    assert estimated is not None
    assert abs(estimated - exact) <= exact / 14
