"""A transaction sees its organizations only, says what it wrote only if it wrote it, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from flotilla.cause import Cause
from flotilla.ids import new_id
from flotilla.store.pool import SLOW_SECONDS
from flotilla.store.postgres import NotCommittedError, Transaction
from flotilla.telemetry import metrics
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.workshop import BELL, ERRAND, Errand, service

INSERT = "INSERT INTO companies VALUES ($1, $2, 'Harbour', 1)"


@pytest.fixture(scope="module")
async def harness(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service(service, lanes_paused=True) as running:
        yield running


async def companies(harness: Harness, *orgs: UUID) -> set[UUID]:
    async with harness.app.db.transaction(orgs) as tx:
        return {row["id"] for row in await tx.fetch("SELECT id FROM companies")}


async def keys(harness: Harness, org: UUID) -> set[tuple[str, str]]:
    rows = await harness.app.db.fetch("SELECT kind, key FROM jobs WHERE organization_id = $1", org)
    return {(row["kind"], row["key"]) for row in rows}


async def test_rows_of_others_are_neither_seen_nor_written(harness: Harness, org: UUID) -> None:
    other, id_ = new_id(), new_id()
    async with harness.app.db.transaction(org) as tx:
        await tx.execute(INSERT, org, id_)
    assert await companies(harness, org) == {id_}
    assert await companies(harness, other) == set()
    assert await companies(harness, org, other) == {id_}
    assert await companies(harness) == set(), "nobody's transaction sees nothing"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _write(harness, other, org)
    assert await harness.app.db.fetch("SELECT * FROM companies") == [], "nor does one without a transaction"


async def _write(harness: Harness, as_: UUID, for_: UUID) -> None:
    async with harness.app.db.transaction(as_) as tx:
        await tx.execute(INSERT, for_, new_id())


async def test_a_connection_forgets_whose_it_was(harness: Harness, org: UUID) -> None:
    """All connections of the pool at once, then each again without an organization."""
    await asyncio.gather(*(_write(harness, org, org) for _ in range(8)))
    assert {len(await companies(harness)) for _ in range(8)} == {0}


async def test_a_commit_that_was_none_is_an_error(harness: Harness, org: UUID) -> None:
    told: list[str] = []
    with pytest.raises(NotCommittedError):
        await _swallow(harness, org, told)
    assert told == [], "what was to be done after the commit is not done"
    assert await companies(harness, org) == set()


async def _swallow(harness: Harness, org: UUID, told: list[str]) -> None:
    async with harness.app.db.transaction(org) as tx:
        await tx.execute(INSERT, org, new_id())
        tx.after_commit(lambda: told.append("committed"))
        with pytest.raises(asyncpg.DivisionByZeroError):
            await tx.execute("SELECT 1 / 0")


async def test_after_the_commit_and_only_then(harness: Harness, org: UUID) -> None:
    told: list[bool] = []

    async with harness.app.db.transaction(org) as tx:
        tx.after_commit(lambda: told.append(True))
        await tx.execute(INSERT, org, new_id())
        assert told == []
    assert told == [True]


async def test_a_job_nobody_does_is_refused(harness: Harness, org: UUID) -> None:
    async with harness.app.db.transaction(org, cause=Cause.fresh()) as tx:
        with pytest.raises(LookupError, match="nobody would do it"):
            tx.enqueue("arrand", "key", Errand(new_id()), org=org)


async def test_a_savepoint_takes_back_jobs_timers_and_cancellations(harness: Harness, org: UUID) -> None:
    now = await harness.app.db.fetchval("SELECT now() + interval '1 hour'")
    errand = Errand(new_id())
    async with harness.app.db.transaction(org, cause=Cause.fresh()) as tx:
        tx.set_timer(BELL, f"stays {org}", now, errand, org=org)
    async with harness.app.db.transaction(org, cause=Cause.fresh()) as tx:
        tx.enqueue(ERRAND, f"kept {org}", errand, org=org, due_at=now)
        with pytest.raises(ZeroDivisionError):
            await _undone(tx, org)
    assert await keys(harness, org) == {(BELL, f"stays {org}"), (ERRAND, f"kept {org}")}


async def _undone(tx: Transaction, org: UUID) -> None:
    async with tx.savepoint():
        tx.enqueue(ERRAND, f"undone {org}", Errand(new_id()), org=org)
        tx.cancel_timer(BELL, f"stays {org}")
        raise ZeroDivisionError


async def test_one_that_is_cancelled_gives_back_a_clean_connection(harness: Harness, org: UUID) -> None:
    async def work() -> None:
        async with harness.app.db.transaction(org) as tx:
            await tx.execute(INSERT, org, new_id())
            await tx.execute("SELECT pg_sleep(60)")

    for _ in range(5):
        task = asyncio.create_task(work())
        await eventually(lambda: _asleep(harness))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await companies(harness, org) == set()
    open_ = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = $1"
    assert await harness.app.db.fetchval(open_, harness.instance.database) == 0


async def _asleep(harness: Harness) -> bool:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)' AND datname = $1"
    return bool(await harness.app.db.fetchval(sql, harness.instance.database))


async def test_what_one_process_says_the_others_hear_through_a_lost_connection(
    harness: Harness, org: UUID
) -> None:
    heard: list[str] = []
    connections = 0

    def lost() -> None:
        nonlocal connections
        connections += 1

    async def connected(times: int) -> bool:
        return connections >= times

    async def has_heard(what: str) -> bool:
        return what in heard

    listening = asyncio.create_task(harness.app.db.listen("directory", heard.append, lost))
    await eventually(lambda: connected(1))
    await say(harness, org, "one")
    await eventually(lambda: has_heard("one"))
    await _end_listeners(harness)
    await eventually(lambda: connected(2))
    await say(harness, org, "two")
    await eventually(lambda: has_heard("two"))
    assert not listening.done()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def say(harness: Harness, org: UUID, what: str) -> None:
    async with harness.app.db.transaction(org) as tx:
        await tx.notify("directory", what)


async def _end_listeners(harness: Harness) -> None:
    connection = await asyncpg.connect(harness.instance.admin_dsn())
    sql = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    )
    await connection.execute(sql)
    await connection.close()


async def test_slow_statements_are_counted_those_that_fail_too(harness: Harness) -> None:
    before = metrics.SLOW_STATEMENTS._value.get()
    await harness.app.db.fetchval("SELECT pg_sleep($1)", SLOW_SECONDS * 1.2)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await harness.app.db.execute(f"SELECT pg_sleep({SLOW_SECONDS * 1.2}); SELECT 1 / 0")
    assert metrics.SLOW_STATEMENTS._value.get() >= before + 2
