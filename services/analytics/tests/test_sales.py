"""Sales numbers are exact: whatever the order, repeats, batches and crashes, they are those of the events."""

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.app import App
from flotilla.events import pipeline
from flotilla.events.base import Money
from flotilla.ids import new_id
from flotilla_analytics.store import sales as store
from flotilla_analytics.workers.sales import fold_next
from flotilla_analytics.workers.sealer import seal_next
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.analytics.tests.conftest import Archive, Events
from services.analytics.tests.sales_history import OWNERS, STAGES, START, SalesHistory, deal, happenings

COLUMNS = [
    "metric",
    "day",
    "pipeline_id",
    "owner_id",
    "stage_id",
    "to_stage_id",
    "source",
    "part",
    "currency",
    "bucket",
    "count",
    "sum_ms",
    "amount",
]
FOLDED = ("sales_rollups", "deal_facts", "lead_facts", "stage_facts")


async def stored(app: App, org: UUID) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """What the fold has: (metric, …) → (count, milliseconds, amount)."""
    async with app.db.transaction(org) as tx:
        rows = await tx.fetch("SELECT * FROM sales_rollups WHERE organization_id = $1", org)
    told = [tuple(row[name] for name in COLUMNS) for row in rows]
    return {row[:-3]: tuple(map(int, row[-3:])) for row in told if any(row[-3:])}


class CrashError(Exception):
    """The process dies while it folds."""


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(told=st.lists(happenings, max_size=25), seed=st.integers(0, 10_000))
async def test_a_fold_gives_what_counting_gives(
    app: App, events: Events, archive: Archive, told: list[Any], seed: int
) -> None:
    org, chance = new_id(), random.Random(seed)
    history = SalesHistory(events, org, told)
    disordered = history.raw + chance.choices(history.raw, k=len(history.raw) // 3)
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
    assert await stored(app, org) == history.counted


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


async def test_a_replay_of_the_whole_archive_gives_every_number_again(
    fresh: App, events: Events, archive: Archive
) -> None:
    chance = random.Random(4)
    histories = {}
    for _ in range(3):
        org = new_id()
        told = [chance_happening(chance) for _ in range(120)]
        histories[org] = SalesHistory(events, org, told)
        await archive(fresh, histories[org].raw)
    while await seal_next(fresh.db):
        pass
    while await fold_next(fresh.db):
        pass
    once = {org: await stored(fresh, org) for org in histories}
    assert once == {org: history.counted for org, history in histories.items()}
    assert all(len(numbers) > 40 for numbers in once.values())
    for batch in (7, 1_000):
        # Everything comes again, in another order, and changes nothing.
        for history in histories.values():
            chance.shuffle(history.raw)
            await archive(fresh, history.raw)
        while await seal_next(fresh.db):
            pass
        await forget(fresh, histories)
        while await fold_next(fresh.db, batch):
            pass
        assert {org: await stored(fresh, org) for org in histories} == once


def chance_happening(chance: random.Random) -> tuple[Any, ...]:
    """What may happen, by chance."""
    at = START + timedelta(milliseconds=chance.randrange(-(10**9), 5 * 10**9))
    owner = chance.choice(OWNERS)
    if chance.random() < 0.3:
        status = chance.choice(["new", "working", "unqualified", "converted"])
        return ("lead", chance.randrange(20), status, owner, at)
    kind = chance.choice(["updated", "moved", "moved", "moved", "won", "lost", "closed"])
    value = chance.choice([None, (chance.randrange(10**6), "EUR"), (chance.randrange(10**6), "USD")])
    return ("deal", chance.randrange(20), kind, chance.randrange(5), owner, value, at)


async def forget(app: App, orgs: Any) -> None:
    """Begin the fold anew, from the first position."""
    async with app.db.transaction(orgs) as tx:
        for table in FOLDED:
            await tx.execute(f"DELETE FROM {table}")
        await tx.execute("DELETE FROM cursors WHERE name = 'sales'")


async def test_a_win_that_is_undone_is_no_win(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    deal_id, value = new_id(), Money(amount_minor=119_00, currency="EUR")
    what: dict[str, Any] = {"deal_id": deal_id, "value": value}
    won = deal(pipeline.DealWon, **what, stage_id=STAGES[3], state="won", ended_at=START, saga_id=new_id())
    back = deal(
        pipeline.DealStageChanged,
        **what,
        from_stage_id=STAGES[3],
        to_stage_id=STAGES[0],
        reason=None,
        seconds_in_stage=5,
    )
    for sequence, data in ((2, back), (1, won)):
        await archive(fresh, [events.raw(data, org, sequence=sequence)])
        await seal_next(fresh.db)
        await fold_next(fresh.db)
        metrics = {cell[0]: sums for cell, sums in (await stored(fresh, org)).items()}
        assert "deals_won" not in metrics
        assert metrics["deals"] == (1, 0, 119_00)
