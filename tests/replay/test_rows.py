"""Every projection of every service, built anew from the archive while events go on, is row by row what it would be
if nothing had ever happened to it.

Two processes of a service get the same events, on brokers and databases of their own. One of them is spoilt: rows
are taken away, changed, put ahead of their time, invented. Then it is built anew under live events, and both are
compared with all their columns.
"""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
from flotilla.bus.declare import Handler
from flotilla.bus.envelope import Received
from flotilla.bus.topology import declare_all
from flotilla.events.analytics import ReplayFailed, ReplayFinished, ReplayRequested
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.replay.plan import rebuildable
from flotilla.service import Service, load, present
from flotilla.store.postgres import Transaction
from flotilla.testing import Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from tests.replay.histories import History, Told

Seen = defaultdict[int, set[tuple[str, UUID]]]
"""What each process's projections have had."""

KEY: Final = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY a.attnum DESC LIMIT 1"""
ROWS: Final = """
SELECT (to_jsonb(t) - $1::text[])::text AS row, (to_jsonb(t)->>'organization_id')::uuid AS org FROM {table} AS t"""
SERVICES = [service.name for service in present() if rebuildable(service)]


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


@asynccontextmanager
async def beside(analytics: Harness, service: Service, worker: str) -> AsyncIterator[Harness]:
    """The service on the archive's broker, with a database of its own."""
    async with isolated(service, worker) as own:
        instance = own.with_isolation(vhost=analytics.instance.vhost)
        await declare_all(instance.amqp_url, [service])
        async with running(service, instance=instance, replay_settle_seconds=1) as harness:
            yield harness


def watched(service: Service, seen: Seen) -> Service:
    """The same service, whose projections say what they have had once it is committed."""

    def watch(handler: Handler) -> Handler:
        async def run(tx: Transaction, batch: Sequence[Received[Any]]) -> None:
            await handler.run(tx, batch)
            had = {(handler.name, event.id) for event in batch}
            tx.after_commit(lambda: seen[id(tx.app)].update(had))

        return replace(handler, run=run) if handler.tables else handler

    return replace(service, handlers=tuple(watch(handler) for handler in service.handlers))


async def publish(harnesses: Iterable[Harness], told: Iterable[Told]) -> None:
    for each in told:
        for harness in harnesses:
            await harness.publish(each.data, org=each.org, sequence=each.sequence, event_id=each.id)


@asynccontextmanager
async def administrator(harness: Harness) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(harness.instance.admin_dsn())
    try:
        yield connection
    finally:
        await connection.close()


async def dump(harness: Harness, orgs: Sequence[UUID]) -> dict[str, list[Any]]:
    """Every row of its projections with all columns, but for stamps; of these organizations, where it is one's."""
    found: dict[str, list[Any]] = {}
    service = harness.app.service
    async with administrator(harness) as connection:
        for handler in rebuildable(service):
            for table in handler.tables:
                rows = await connection.fetch(
                    ROWS.format(table=f"{service.name}.{table}"), list(handler.stamps)
                )
                found[table] = sorted(row["row"] for row in rows if row["org"] in (*orgs, None))
    return found


async def alike(one: Harness, other: Harness, orgs: Sequence[UUID]) -> dict[str, list[Any]]:
    """Wait until both hold the same rows: what they hold."""

    async def same() -> dict[str, list[Any]]:
        first, second = await dump(one, orgs), await dump(other, orgs)
        for table, rows in first.items():
            missing, extra = set(second[table]) - set(rows), set(rows) - set(second[table])
            assert not missing | extra, (table, sorted(missing)[:3], sorted(extra)[:3])
        return first

    return await eventually(same, seconds=20)


async def handled(seen: Seen, harness: Harness, told: Sequence[Told]) -> None:
    """Wait until every projection has had the last of these that it takes; lanes keep their order."""
    wanted = set()
    for handler in rebuildable(harness.app.service):
        taken = [each for each in told if type(each.data) in handler.types]
        wanted.add((handler.name, taken[-1].id))

    async def all_had() -> bool:
        return wanted <= seen[id(harness.app)]

    await eventually(all_had, seconds=20)


async def spoil(harness: Harness, handlers: Iterable[Handler]) -> int:
    """Take rows away, change some, put some ahead of their time, invent some: how many differ now at least."""
    name, spoilt = harness.app.service.name, 0
    async with administrator(harness) as connection:
        for handler in handlers:
            for table in handler.tables:
                own = f"{name}.{table}"
                last = await connection.fetchval(KEY, own)
                count = await connection.fetchval(f"SELECT count(*) FROM {own}")
                assert count, f"no event reached {own}"
                spoilt += count
                if last != "organization_id":
                    await connection.execute(
                        f"INSERT INTO {own} SELECT (jsonb_populate_record(t, jsonb_build_object('{last}',"
                        f" gen_random_uuid()))).* FROM {own} AS t LIMIT 3"
                    )
                    await connection.execute(
                        f"DELETE FROM {own} WHERE ctid = ANY (array(SELECT ctid FROM {own} ORDER BY {last} LIMIT $1))",
                        count // 3,
                    )
                await connection.execute(f"UPDATE {own} SET sequence = sequence + 1000000")
    return spoilt


@pytest.mark.parametrize("name", SERVICES)
async def test_built_anew_under_live_events_it_is_as_if_nothing_had_happened(
    name: str, analytics: Harness, worker: str
) -> None:
    seen: Seen = defaultdict(set)
    service = watched(load(name), seen)
    handlers = rebuildable(service)
    types = sorted(
        {type_ for handler in handlers for type_ in handler.types}, key=lambda type_: type_.__name__
    )
    history = History(types, seed=len(name))
    async with contextlib.AsyncExitStack() as stack:
        control = await stack.enter_async_context(running(service, worker))
        spoilt = await stack.enter_async_context(beside(analytics, service, worker))
        both = (control, spoilt)
        await publish(both, history.some(120) + (last := history.last()))
        for harness in both:
            await handled(seen, harness, last)
        await alike(control, spoilt, history.orgs)
        wrong = await spoil(spoilt, handlers)
        wish = ReplayRequested(request_id=new_id(), replay_id=new_id(), service=name)
        await analytics.publish(wish, org=PLATFORM_ORG)
        while not (ended := answers(analytics, wish)):
            await publish(both, history.some(10))
        assert isinstance(ended[0], ReplayFinished), ended
        assert (
            ended[0].added + ended[0].updated + ended[0].removed >= wrong // 2
        )  # live events had mended some
        await publish(both, history.some(20) + (last := history.last()))
        for harness in both:
            await handled(seen, harness, last)
        rows = await alike(control, spoilt, history.orgs)
        assert all(rows.values())
        assert len(answers(analytics, wish)) == 1


def answers(analytics: Harness, wish: ReplayRequested) -> list[Any]:
    finished: list[Any] = [event.data for event in analytics.spy.of(ReplayFinished)]
    failed: list[Any] = [event.data for event in analytics.spy.of(ReplayFailed)]
    return [told for told in [*finished, *failed] if told.replay_id == wish.replay_id]
