"""Leased work: done once, whatever becomes of the process, the lease, the outside or the second commit."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.cause import Cause
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.store.postgres import Row
from flotilla.testing import Harness, eventually
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from libs.common.tests.bus import workshop as told
from libs.common.tests.bus.children import child
from libs.common.tests.bus.samples import applied
from libs.common.tests.bus.workshop import ATTEMPTS, CONCURRENCY, ERRAND, Errand, outside


async def enqueue(harness: Harness, org: UUID, note: str = "", key: str | None = None) -> str:
    errand = Errand(new_id(), note)
    async with harness.app.db.transaction(org, cause=Cause.fresh()) as tx:
        tx.enqueue(ERRAND, key or str(errand.id), errand, org=org)
    return key or str(errand.id)


async def row_of(harness: Harness, key: str) -> Row | None:
    return await harness.app.db.fetchrow("SELECT *, now() AS now FROM jobs WHERE key = $1", key)


async def hurry(harness: Harness, key: str) -> None:
    """Its back-off is over, and its lease."""
    sql = "UPDATE jobs SET due_at = now(), leased_until = leased_until - interval '1 hour' WHERE key = $1"
    await harness.app.db.execute(sql, key)
    harness.app.jobs_wake.set()


async def waiting(harness: Harness, key: str) -> Row:
    """The row, once an attempt has been written down as failed."""

    async def failed() -> Row | None:
        row = await row_of(harness, key)
        return row if row and row["error"] else None

    row = await eventually(failed)
    assert row
    return row


async def gone(harness: Harness, key: str) -> bool:
    return await row_of(harness, key) is None


async def done_once(harness: Harness, org: UUID, key: str) -> bool:
    return await gone(harness, key) and await applied(harness, org) == {UUID(key): 1}


def failing(error: Exception) -> Any:
    async def answer(_: Job) -> str:
        raise error

    return answer


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    async with isolated(told.service, worker) as instance:
        yield instance


async def test_a_job_whose_process_was_killed_is_told_so_when_it_is_tried_again(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    async with start_service(told.service, instance=stores, lanes_paused=True) as writer:
        async with child(stores, told.__name__) as victim:
            key = await enqueue(writer, org, note="die")
            assert await victim.died() == -signal.SIGKILL
        left = await row_of(writer, key)
        assert left
        assert left["leased_until"] > left["now"]
    async with start_service(told.service, instance=stores) as survivor:
        await eventually(lambda: done_once(survivor, org, key))
    assert outside.attempts(key) == [(2, True)]


async def test_a_result_is_refused_where_somebody_else_has_the_lease(workshop: Harness, org: UUID) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def answer(_: Job) -> str:
        began.set()
        await may_end.wait()
        return "late"

    key = str(new_id())
    outside.answers[key] = answer
    await enqueue(workshop, org, key=key)
    await began.wait()
    await workshop.app.db.execute("UPDATE jobs SET lease_token = $2 WHERE key = $1", key, new_id())
    may_end.set()
    await eventually(lambda: _free(workshop))
    assert await applied(workshop, org) == {}
    await hurry(workshop, key)
    await eventually(lambda: gone(workshop, key))
    assert sum((await applied(workshop, org)).values()) == 1
    assert outside.attempts(key) == [(1, False), (2, True)]


async def _free(harness: Harness) -> bool:
    """No attempt is in hand any more: the loops' tasks have ended."""
    return not [task for task in asyncio.all_tasks() if "JobLoop._do" in repr(task.get_coro())]


async def test_an_outside_that_asks_to_come_later_costs_no_attempt(workshop: Harness, org: UUID) -> None:
    key = str(new_id())
    outside.answers[key] = failing(RetryLater(timedelta(hours=2), "flood wait"))
    await enqueue(workshop, org, key=key)
    for _ in range(ATTEMPTS + 1):
        row = await waiting(workshop, key)
        assert (row["attempts"], row["leased_until"]) == (0, None)
        assert timedelta(minutes=119) < row["due_at"] - row["now"] <= timedelta(hours=2)
        await workshop.app.db.execute("UPDATE jobs SET error = NULL WHERE key = $1", key)
        await hurry(workshop, key)
    assert set(outside.attempts(key)) == {(1, False)}
    del outside.answers[key]
    await hurry(workshop, key)
    await eventually(lambda: gone(workshop, key))


async def test_it_is_given_up_after_its_attempts(workshop: Harness, org: UUID) -> None:
    key = str(new_id())
    outside.answers[key] = failing(ValueError("jane@example.org refused"))
    await enqueue(workshop, org, key=key)
    for _ in range(ATTEMPTS - 1):
        row = await waiting(workshop, key)
        assert row["error"] == "ValueError", "the words of others' errors may be personal"
        await workshop.app.db.execute("UPDATE jobs SET error = NULL WHERE key = $1", key)
        await hurry(workshop, key)
    await eventually(lambda: gone(workshop, key))
    assert outside.attempts(key) == [(1, False), (2, False), (3, False)]
    assert await remarks(workshop, org) == ["ValueError"]
    assert await applied(workshop, org) == {}


async def remarks(harness: Harness, org: UUID) -> list[str]:
    async with harness.app.db.transaction(org) as tx:
        return [row["note"] for row in await tx.fetch("SELECT note FROM effects")]


async def test_a_job_that_every_process_dies_of_is_given_up_untried(workshop: Harness, org: UUID) -> None:
    key, id_ = str(new_id()), new_id()
    cause = '{"correlation_id": "00000000-0000-7000-8000-000000000000"}'
    await workshop.app.db.execute(
        "INSERT INTO jobs (id, organization_id, kind, key, payload, cause, due_at, leased_until, attempts)"
        " VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, now(), now() - interval '1 s', $7)",
        *(id_, org, ERRAND, key, {"id": str(id_)}, cause, ATTEMPTS),
    )
    await eventually(lambda: gone(workshop, key))
    assert outside.attempts(key) == []
    assert await remarks(workshop, org) == ["AttemptsUsedUpError"]


async def test_an_attempt_out_of_time_may_have_reached_the_outside(workshop: Harness, org: UUID) -> None:
    key = str(new_id())

    async def dawdle(_: Job) -> str:
        return str(await asyncio.Event().wait())

    outside.answers[key] = dawdle
    await enqueue(workshop, org, key=key)
    row = await waiting(workshop, key)
    assert row["error"].startswith("TimeUpError")
    del outside.answers[key]
    await hurry(workshop, key)
    await eventually(lambda: gone(workshop, key))
    assert outside.attempts(key) == [(1, False), (2, True)]


async def test_a_result_that_was_not_written_makes_the_next_attempt_an_interrupted_one(
    workshop: Harness, org: UUID
) -> None:
    key = str(new_id())
    outside.unfinishable.add(key)
    await enqueue(workshop, org, key=key)
    await waiting(workshop, key)
    outside.unfinishable.remove(key)
    await hurry(workshop, key)
    await eventually(lambda: gone(workshop, key))
    assert outside.attempts(key) == [(1, False), (2, True)]
    assert sum((await applied(workshop, org)).values()) == 1


async def test_no_more_at_once_than_its_kind_allows(workshop: Harness, org: UUID) -> None:
    at_work, most, may_end = 0, 0, asyncio.Event()

    async def answer(_: Job) -> str:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await may_end.wait()
        at_work -= 1
        return "done"

    keys = [str(new_id()) for _ in range(4 * CONCURRENCY)]
    outside.answers |= dict.fromkeys(keys, answer)
    for key in keys:
        await enqueue(workshop, org, key=key)

    async def both_replicas_full() -> bool:
        return at_work == 2 * CONCURRENCY

    await eventually(both_replicas_full)
    may_end.set()

    async def all_gone() -> bool:
        return all([await gone(workshop, key) for key in keys])

    await eventually(all_gone)
    assert most == 2 * CONCURRENCY, "two replicas, each its own bound"


async def test_the_same_job_enqueued_twice_is_one(workshop: Harness, org: UUID) -> None:
    may_end = asyncio.Event()

    async def answer(_: Job) -> str:
        return str(await may_end.wait())

    key = str(new_id())
    outside.answers[key] = answer
    await asyncio.gather(*(enqueue(workshop, org, key=key) for _ in range(4)))

    async def in_hand() -> bool:
        return len(outside.attempts(key)) == 1

    await eventually(in_hand)
    await enqueue(workshop, org, key=key)
    may_end.set()
    await eventually(lambda: gone(workshop, key))
    assert outside.attempts(key) == [(1, False)]
    assert sum((await applied(workshop, org)).values()) == 1


async def test_one_that_cannot_be_read_keeps_no_other_from_being_done(workshop: Harness, org: UUID) -> None:
    bad, good = str(new_id()), str(new_id())
    await enqueue(workshop, org, key=good)
    sql = (
        "INSERT INTO jobs (id, organization_id, kind, key, payload, cause, due_at)"
        " VALUES ($1, $2, $3, $4, '{}', '{}', $5)"
    )
    await workshop.app.db.execute(sql, new_id(), org, ERRAND, bad, datetime(2020, 1, 1, tzinfo=UTC))
    await eventually(lambda: gone(workshop, good))
    row = await waiting(workshop, bad)
    assert row["leased_until"] is None
    assert row["due_at"] > row["now"]
    await workshop.app.db.execute("DELETE FROM jobs WHERE key = $1", bad)


async def test_work_cut_off_by_the_end_of_its_process_is_told_so(
    stores: Instance, start_service: StartService, org: UUID
) -> None:
    began = asyncio.Event()

    async def dawdle(_: Job) -> str:
        began.set()
        return str(await asyncio.Event().wait())

    key = str(new_id())
    outside.answers[key] = dawdle
    async with start_service(told.service, instance=stores, grace_seconds=0.2) as stopping:
        await enqueue(stopping, org, key=key)
        await began.wait()
    del outside.answers[key]
    async with start_service(told.service, instance=stores) as next_:
        await hurry(next_, key)
        await eventually(lambda: gone(next_, key))
    assert outside.attempts(key) == [(1, False), (2, True)]


def test_a_lease_without_time_for_the_work_is_refused() -> None:
    with pytest.raises(ValueError, match="leaves no time"):
        JobKind("hasty", Errand, told.perform, told.finish, told.give_up, lease=timedelta(seconds=5))
