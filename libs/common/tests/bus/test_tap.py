"""A tap: every event as it came, once or more, idempotent by its id; what it fails on is found and parked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
from flotilla.bus.declare import Lane, RawEvent, tap
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.rerun import rerun_due
from flotilla.bus.topology import bindings
from flotilla.events.crm import ContactCreated, TaskCreated
from flotilla.service import Service
from flotilla.store.postgres import Transaction
from flotilla.testing import Harness, synthetic
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.samples import task
from libs.common.tests.bus.test_dispatch import encoded, parked

KEEP = "INSERT INTO effects VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
refused: set[UUID] = set()


@tap("archive")
async def keep(tx: Transaction, batch: Sequence[RawEvent]) -> None:
    """Keeps the bytes as they came."""
    for event in batch:
        await tx.execute(KEEP, event.envelope.organizationid, event.envelope.id, event.body.decode())
        if event.envelope.id in refused:
            raise ValueError("not this one")


service = Service(
    name="crm", migrations_folder=synthetic.service.migrations, lanes=(Lane("archive"),), tap=keep
)


@pytest.fixture(scope="module")
async def archive(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service(service, lanes_paused=True) as harness:
        yield harness


async def kept(harness: Harness, org: UUID) -> dict[UUID, str]:
    async with harness.app.db.transaction(org) as tx:
        return {row["id"]: row["note"] for row in await tx.fetch("SELECT * FROM effects")}


def test_one_without_types_has_every_event_and_one_with_types_has_these() -> None:
    assert bindings(service) == {"archive": {"#"}}
    some = Service(name="crm", lanes=(Lane("some"),), tap=tap("some", TaskCreated, ContactCreated)(keep.run))
    assert bindings(some) == {"some": {"task.created.v1", "contact.created.v1"}}


async def test_events_come_as_they_are_unknown_types_too(archive: Harness, org: UUID) -> None:
    known, again, unknown = (encoded(task(), org) for _ in range(3))
    strange = unknown.body.replace(b"task.created.v1", b"task.invented.v9")
    await Dispatcher(archive.app, "archive").handle(
        [known.body, again.body, again.body, strange, b"nonsense"]
    )
    await Dispatcher(archive.app, "archive").handle([again.body])
    assert await kept(archive, org) == {
        known.id: known.body.decode(),
        again.id: again.body.decode(),
        unknown.id: strange.decode(),
    }


async def test_one_it_cannot_keep_is_parked_and_kept_later(archive: Harness, org: UUID) -> None:
    events = [encoded(task(), org) for _ in range(9)]
    bad = events[4]
    refused.add(bad.id)
    await Dispatcher(archive.app, "archive").handle([event.body for event in events])
    assert set(await kept(archive, org)) == {event.id for event in events} - {bad.id}
    assert await parked(archive, org) == [("keep", "ValueError")]
    refused.discard(bad.id)
    await archive.app.db.execute("UPDATE parked_events SET due_at = now() WHERE organization_id = $1", org)
    await asyncio.gather(*(rerun_due(archive.app) for _ in range(2)))
    assert (await kept(archive, org))[bad.id] == bad.body.decode()
    assert await parked(archive, org) == []


async def test_another_regions_are_not_kept(archive: Harness, org: UUID) -> None:
    ours, foreign = encoded(task(), org), encoded(task(), org)
    body = foreign.body.replace(b'"region":"eu"', b'"region":"us"')
    await Dispatcher(archive.app, "archive").handle([body, ours.body])
    assert set(await kept(archive, org)) == {ours.id}
    assert await parked(archive, org) == []
