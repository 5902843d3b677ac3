"""Both sides of a replay die, one after the other, at the worst moments; others go on from where they were."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec
import pytest
from flotilla.bus.topology import declare_all
from flotilla.events.analytics import ReplayFailed, ReplayFinished, ReplayRequested, ReplayStarted
from flotilla.events.crm import CompanyCreated, CompanyUpdated
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.instance import Instance
from flotilla.service import load
from flotilla.testing import Harness, eventually, synthetic
from flotilla.testing.harness import running
from flotilla.testing.isolation import isolated

from libs.common.tests.bus.children import Child, child

COMPANIES = 600
ROWS = "SELECT id, name, sequence FROM companies"
SPOIL = "UPDATE companies SET name = 'spoilt', sequence = sequence + 1000"
HURRY = "UPDATE jobs SET leased_until = now() - interval '1 second', due_at = now()"
HOLD = "LOCK TABLE crm_shadow.companies IN EXCLUSIVE MODE"


@dataclass
class Two:
    """The archive and a service on one broker, each of which runs as a process that may die."""

    archive: Harness
    crm: Harness

    @asynccontextmanager
    async def analytics(self) -> AsyncIterator[Child]:
        async with child(self.archive.instance, "flotilla_analytics.service", service="analytics") as process:
            yield process

    @asynccontextmanager
    async def service(self, *fault: str) -> AsyncIterator[Child]:
        async with child(self.crm.instance, synthetic.__name__, *fault) as process:
            yield process

    async def rows(self, org: UUID) -> dict[UUID, tuple[str, int]]:
        async with self.crm.app.db.transaction(org) as tx:
            return {row["id"]: (row["name"], row["sequence"]) for row in await tx.fetch(ROWS)}


@pytest.fixture
async def two(worker: str) -> AsyncIterator[Two]:
    async with contextlib.AsyncExitStack() as stack:
        own = await stack.enter_async_context(isolated(load("analytics"), worker))
        other = await stack.enter_async_context(isolated(synthetic.service, worker))
        settle = {"FLOTILLA_REPLAY_SETTLE_SECONDS": "1", "FLOTILLA_ELASTICSEARCH_URL": ""}
        archives = own.with_isolation(overrides=settle)
        beside = other.with_isolation(vhost=own.vhost, overrides=settle)
        await declare_all(own.amqp_url, [synthetic.service])
        archive = await stack.enter_async_context(
            running(load("analytics"), instance=archives, lanes_paused=True, elasticsearch_url="")
        )
        crm = await stack.enter_async_context(running(synthetic.service, instance=beside, lanes_paused=True))
        yield Two(archive, crm)


@asynccontextmanager
async def shadow_held(instance: Instance) -> AsyncIterator[None]:
    """Nothing goes into the shadow, and who tries waits."""
    connection = await asyncpg.connect(instance.admin_dsn())
    try:
        async with connection.transaction():
            await connection.execute(HOLD)
            yield
    finally:
        await connection.close()


async def test_both_sides_die_and_others_go_on(two: Two, org: UUID) -> None:
    made = [
        CompanyCreated(company_id=new_id(), name=f"company {number}", domain=None, owner_id=None, tags=[])
        for number in range(COMPANIES)
    ]
    expected = {each.company_id: (each.name, 1) for each in made}
    async with two.analytics(), two.service():
        for each in made:
            await two.archive.publish(each, org=org, sequence=1)
        await eventually(lambda: _all_there(two, org), seconds=60, what="all known and archived")
    async with two.crm.app.db.transaction(org) as tx:
        await tx.execute(SPOIL)
    wish = ReplayRequested(request_id=new_id(), replay_id=new_id(), service="crm")
    await two.archive.publish(wish, org=PLATFORM_ORG)
    async with contextlib.AsyncExitStack() as archive:
        await archive.enter_async_context(two.analytics())
        async with two.service("handled") as victim:  # it has begun, and not said so to the broker
            assert await victim.died() == -signal.SIGKILL
        assert await _state(two, wish) == "filling"
        async with contextlib.AsyncExitStack() as service, shadow_held(two.crm.instance):
            victim = await service.enter_async_context(two.service())
            await two.archive.spy.expect(ReplayStarted, seconds=30)
            await eventually(lambda: _waits_for_shadow(two), seconds=30, what="a stretch in hand")
            victim.process.kill()
            await victim.died()
            await archive.aclose()  # killed too, its job leased
            assert await _state(two, wish) == "filling"
            await two.archive.app.db.execute(HURRY)
    for each in made[:20]:  # while nobody is there
        renamed = CompanyUpdated(**msgspec.structs.asdict(each) | {"name": "renamed"})
        await two.archive.publish(renamed, org=org, sequence=2)
        expected[each.company_id] = ("renamed", 2)
    async with two.analytics(), two.service():
        finished = await two.archive.spy.expect(ReplayFinished, seconds=60)
        assert finished.data.updated == COMPANIES

        async def right() -> bool:
            return await two.rows(org) == expected

        await eventually(right, seconds=30, what="every row as it was told")
    assert len(two.archive.spy.of(ReplayFinished)) == 1
    assert two.archive.spy.of(ReplayFailed) == []


async def _all_there(two: Two, org: UUID) -> bool:
    known, archived = await asyncio.gather(
        two.rows(org), two.archive.app.db.fetchval("SELECT count(*) FROM ledger")
    )
    return len(known) == COMPANIES and archived >= COMPANIES


async def _state(two: Two, wish: ReplayRequested) -> object:
    return await two.crm.app.db.fetchval("SELECT state FROM replays WHERE id = $1", wish.replay_id)


async def _waits_for_shadow(two: Two) -> bool:
    connection = await asyncpg.connect(two.crm.instance.admin_dsn())
    try:
        sql = (
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'crm_shadow.companies'::regclass"
        )
        return bool(await connection.fetchval(sql))
    finally:
        await connection.close()
