"""Timers: each fires once at its moment, by the database's clock, however many replicas look."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from flotilla.bus.timers import TimerLoop
from flotilla.cause import Cause
from flotilla.ids import new_id
from flotilla.store.postgres import Row
from flotilla.testing import Harness, eventually

from libs.common.tests.bus.samples import applied
from libs.common.tests.bus.workshop import BELL, Errand, outside


async def set_bell(harness: Harness, org: UUID, seconds: float, id_: UUID | None = None) -> UUID:
    id_ = id_ or new_id()
    now = await harness.app.db.fetchval("SELECT now()")
    async with harness.app.db.transaction(org, cause=Cause.fresh()) as tx:
        tx.set_timer(BELL, str(id_), now + timedelta(seconds=seconds), Errand(id_), org=org)
    return id_


async def half_an_hour_passes(harness: Harness, org: UUID) -> None:
    """For the timers of this organization."""
    sooner = "UPDATE jobs SET due_at = due_at - interval '30 minutes' WHERE organization_id = $1"
    await harness.app.db.execute(sooner, org)
    harness.app.jobs_wake.set()


async def row_of(harness: Harness, id_: UUID) -> Row | None:
    return await harness.app.db.fetchrow("SELECT *, now() AS now FROM jobs WHERE key = $1", str(id_))


def rang(harness: Harness, org: UUID, *ids: UUID) -> Callable[[], Awaitable[bool]]:
    """Exactly these, each once."""

    async def check() -> bool:
        return await applied(harness, org) == dict.fromkeys(ids, 1)

    return check


async def test_each_fires_once_with_two_replicas(workshop: Harness, org: UUID) -> None:
    ids = [await set_bell(workshop, org, 0.4) for _ in range(60)]
    await eventually(rang(workshop, org, *ids))
    assert await workshop.app.db.fetchval("SELECT count(*) FROM jobs WHERE organization_id = $1", org) == 0


async def test_none_fires_before_its_moment(workshop: Harness, org: UUID) -> None:
    id_ = await set_bell(workshop, org, 2)
    row = await row_of(workshop, id_)
    await eventually(rang(workshop, org, id_))
    async with workshop.app.db.transaction(org) as tx:
        fired_at = await tx.fetchval("SELECT at FROM applied")
    assert row
    assert row["due_at"] <= fired_at < row["due_at"] + timedelta(seconds=15)


async def test_one_that_was_moved_fires_at_its_new_moment_only(workshop: Harness, org: UUID) -> None:
    later = await set_bell(workshop, org, 1200)
    sooner = await set_bell(workshop, org, 3600)
    await set_bell(workshop, org, 3600, later)
    await set_bell(workshop, org, 1200, sooner)
    last = await set_bell(workshop, org, 1500)
    await half_an_hour_passes(workshop, org)
    await eventually(rang(workshop, org, sooner, last))
    assert await row_of(workshop, later)


async def test_one_that_was_cancelled_never_fires(workshop: Harness, org: UUID) -> None:
    cancelled = await set_bell(workshop, org, 1200)
    async with workshop.app.db.transaction(org) as tx:
        tx.cancel_timer(BELL, str(cancelled))
        tx.cancel_timer(BELL, "never set")
    last = await set_bell(workshop, org, 1500)
    await half_an_hour_passes(workshop, org)
    await eventually(rang(workshop, org, last))


async def test_one_that_fails_backs_off_and_spares_its_batch(workshop: Harness, org: UUID) -> None:
    bad, good = new_id(), [new_id() for _ in range(5)]
    outside.broken_bells.add(str(bad))
    now = await workshop.app.db.fetchval("SELECT now()")
    async with workshop.app.db.transaction(org, cause=Cause.fresh()) as tx:
        for id_ in (*good[:2], bad, *good[2:]):
            tx.set_timer(BELL, str(id_), now, Errand(id_), org=org)
    await eventually(rang(workshop, org, *good))

    async def backed_off() -> bool:
        row = await row_of(workshop, bad)
        assert row
        return bool(row["attempts"] and row["due_at"] > row["now"] and row["error"])

    await eventually(backed_off)
    outside.broken_bells.discard(str(bad))
    await workshop.app.db.execute("UPDATE jobs SET due_at = now() WHERE key = $1", str(bad))
    await eventually(rang(workshop, org, *good, bad))


async def test_a_failing_one_that_was_moved_meanwhile_keeps_its_new_moment(still: Harness, org: UUID) -> None:
    id_ = await set_bell(still, org, -1)
    due = await row_of(still, id_)
    await set_bell(still, org, 3600, id_)
    loop = TimerLoop(still.app, still.app.service.timers[0])
    outside.broken_bells.add(str(id_))
    assert due
    await loop._fire_alone(due)
    row = await row_of(still, id_)
    assert row
    assert row["due_at"] - row["now"] > timedelta(minutes=59)
    assert row["attempts"] == 0


async def test_what_another_replica_has_in_hand_is_not_counted_as_fired(still: Harness, org: UUID) -> None:
    id_ = await set_bell(still, org, -1)
    loop = TimerLoop(still.app, still.app.service.timers[0])
    async with still.app.db.transaction(org) as other:
        await other.fetch("SELECT id FROM jobs WHERE key = $1 FOR UPDATE", str(id_))
        assert await loop.turn() == 0, "a full page of these would be asked for without a pause"
    assert await loop.turn() == 1
    assert await rang(still, org, id_)()
