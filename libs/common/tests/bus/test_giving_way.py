"""Timers and the ends of jobs give way to who holds what they are about, and are done again."""

import asyncio
from datetime import timedelta
from uuid import UUID

from flotilla.bus.timers import TimerLoop
from flotilla.cause import Cause
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from libs.common.tests.bus.samples import applied
from libs.common.tests.bus.test_jobs import gone
from libs.common.tests.bus.test_timers import row_of, set_bell
from libs.common.tests.bus.workshop import ERRAND, HOLD, REMARK, Errand, outside


async def made(harness: Harness, org: UUID) -> UUID:
    """The row that a timer or a job of this id is about."""
    id_ = new_id()
    async with harness.app.db.transaction(org) as tx:
        await tx.execute(REMARK, org, id_, "theirs")
    return id_


def loop_of(harness: Harness) -> TimerLoop:
    return TimerLoop(harness.app, harness.app.service.timers[0])


async def test_a_timer_does_not_wait_for_who_holds_what_it_is_about(still: Harness, org: UUID) -> None:
    held = await made(still, org)
    await set_bell(still, org, -2, held)
    free = [await set_bell(still, org, -1) for _ in range(3)]
    async with still.app.db.transaction(org, cause=Cause.fresh()) as holder:
        await holder.execute(HOLD, org, held)
        await loop_of(still).turn()
        assert await applied(still, org) == dict.fromkeys(free, 1), "the others of its batch fire"
        row = await row_of(still, held)
        assert row
        assert (row["attempts"], row["error"]) == (0, None), "nobody is to blame"
    await still.app.db.execute("UPDATE jobs SET due_at = now() WHERE key = $1", str(held))
    await loop_of(still).turn()
    assert await applied(still, org) == dict.fromkeys((held, *free), 1)


async def test_a_request_that_moves_a_timer_which_waits_for_it(still: Harness, org: UUID) -> None:
    """The circle: the request holds what the timer is about, the timer its own row, which the request writes."""
    id_ = await made(still, org)
    await set_bell(still, org, -1, id_)
    outside.held.clear()
    outside.may_move.clear()
    request = asyncio.create_task(still.client(org).post(f"/v1/tasks/{id_}/bell", {}))
    await outside.held.wait()
    turn = asyncio.create_task(loop_of(still).turn())
    await eventually(lambda: _begun(str(id_)))
    outside.may_move.set()
    assert (await request).status == 204
    await turn
    row = await row_of(still, id_)
    assert row
    assert row["due_at"] - row["now"] > timedelta(minutes=59)
    assert row["attempts"] == 0
    assert await applied(still, org) == {}


async def _begun(key: str, times: int = 1) -> bool:
    return outside.begun[key] >= times


async def test_the_end_of_a_job_gives_way_and_what_it_did_outside_is_done_once(
    workshop: Harness, org: UUID
) -> None:
    id_ = await made(workshop, org)
    key, errand = str(id_), Errand(id_)
    async with workshop.app.db.transaction(org, cause=Cause.fresh()) as holder:
        await holder.execute(HOLD, org, id_)
        async with workshop.app.db.transaction(org, cause=Cause.fresh()) as tx:
            tx.enqueue(ERRAND, key, errand, org=org)
        await eventually(lambda: _begun(key))
        longer = "UPDATE jobs SET leased_until = now() + interval '1 hour' WHERE key = $1"
        await workshop.app.db.execute(longer, key)
        await eventually(lambda: _begun(key, 2))
        holder.enqueue(ERRAND, key, errand, org=org)  # the circle: it writes the row that the end removes
    await eventually(lambda: gone(workshop, key))
    assert outside.attempts(key) == [(1, False)]
    assert await applied(workshop, org) == {id_: 1}
