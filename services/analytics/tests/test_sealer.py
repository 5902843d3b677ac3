"""Positions have no gaps and never move, whenever events commit and wherever the sealer dies."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from flotilla.app import App
from flotilla.ids import new_id
from flotilla.store.postgres import Transaction
from flotilla_analytics.archiving import archive_events
from flotilla_analytics.store import ledger as ledger_store
from flotilla_analytics.verification import verify
from flotilla_analytics.workers.sealer import seal_next

from services.analytics.tests.conftest import Archive, Events, Superuser


async def positions(app: App) -> list[tuple[int, UUID]]:
    """(position, event id) of the whole ledger."""
    rows = await app.db.fetch("SELECT position, event_id FROM ledger ORDER BY position")
    return [(row["position"], row["event_id"]) for row in rows]


async def test_an_event_that_commits_late_gets_the_next_position(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    early, late = events.raw(events.received(), org), events.raw(events.received(), org)
    async with fresh.db.transaction(org) as slow:
        await archive_events(slow, fresh.keyring, [early])
        await archive(fresh, [late])
        assert await seal_next(fresh.db)
        assert await positions(fresh) == [(1, late.envelope.id)]
    assert await seal_next(fresh.db)
    assert not await seal_next(fresh.db)
    assert await positions(fresh) == [(1, late.envelope.id), (2, early.envelope.id)]


async def test_a_stretch_names_what_is_of_these_types_and_ends_where_all_do(
    fresh: App, org: UUID, events: Events, archive: Archive, superuser: Superuser
) -> None:
    raw = [events.raw(events.received(), org) for _ in range(6)]
    await archive(fresh, raw)
    assert await seal_next(fresh.db)
    type_, ids = raw[0].envelope.type, [event_id for _, event_id in await positions(fresh)]
    whole = [(number, org, event_id) for number, event_id in enumerate(ids, 1)]
    assert await ledger_store.read_stretch(fresh.db, 0, 4, [type_]) == (4, whole[:4])
    assert await ledger_store.read_stretch(fresh.db, 0, 10, ["deal.won.v1"]) == (6, [])
    async with superuser(fresh) as admin:  # as it was written before the ledger knew
        await admin.execute("UPDATE ledger SET event_type = NULL WHERE position = 5")
    assert await ledger_store.read_stretch(fresh.db, 2, 10, ["deal.won.v1"]) == (6, [whole[4]])
    assert await ledger_store.read_stretch(fresh.db, 6, 10, [type_]) is None


async def test_positions_have_no_gaps_under_concurrent_writers_and_sealers(
    fresh: App, events: Events, archive: Archive
) -> None:
    orgs = [new_id() for _ in range(4)]
    done = asyncio.Event()
    seen: list[list[tuple[int, UUID]]] = []

    async def write(org: UUID) -> None:
        for _ in range(10):
            await archive(fresh, [events.raw(events.received(), org) for _ in range(7)])

    async def seal() -> None:
        while not done.is_set():
            if not await seal_next(fresh.db, 5):
                await asyncio.sleep(0)
            seen.append(await positions(fresh))

    sealers = [asyncio.create_task(seal()) for _ in range(2)]
    await asyncio.gather(*(write(org) for org in orgs))
    done.set()
    await asyncio.gather(*sealers)
    while await seal_next(fresh.db):
        pass
    whole = await positions(fresh)
    assert [position for position, _ in whole] == list(range(1, 281))
    assert len({event_id for _, event_id in whole}) == 280
    assert all(whole[: len(part)] == part for part in seen), "a position moved, or came before a lower one"
    report = await verify(fresh.db)
    assert report.holds
    assert (report.events, report.head) == (280, 280)


@pytest.mark.parametrize("step", ["read_head", "take_unsealed", "append", "commit"])
async def test_a_sealer_that_dies_leaves_nothing_half_done(
    fresh: App, org: UUID, events: Events, archive: Archive, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await archive(fresh, [events.raw(events.received(), org) for _ in range(10)])
    assert await seal_next(fresh.db, 4)
    before = await positions(fresh)

    with monkeypatch.context() as patched:
        real = getattr(ledger_store, "append" if step == "commit" else step)

        async def die(tx: Transaction, *args: Any) -> None:
            await real(tx, *args)
            if step != "commit":
                raise KeyboardInterrupt
            await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        patched.setattr(ledger_store, real.__name__, die)
        with pytest.raises(BaseException):  # noqa: B017 - however it dies
            await seal_next(fresh.db, 4)
    assert await positions(fresh) == before

    while await seal_next(fresh.db, 4):
        pass
    assert [position for position, _ in await positions(fresh)] == list(range(1, 11))
    assert (await verify(fresh.db)).holds


async def test_a_repeated_event_is_not_sealed_twice(
    fresh: App, org: UUID, events: Events, archive: Archive
) -> None:
    event = events.raw(events.received(), org)
    for _ in range(3):
        await archive(fresh, [event])
        await seal_next(fresh.db)
    assert await positions(fresh) == [(1, event.envelope.id)]
