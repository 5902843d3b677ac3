"""Stretches: which positions and events a reading of all, of one and of several organizations is given."""

from uuid import UUID

import pytest
from flotilla.app import App
from flotilla.ids import new_id
from flotilla.replay.wire import Filter
from flotilla_analytics.replaying import stretches
from flotilla_analytics.replaying.stretches import Reading, next_stretch
from flotilla_analytics.workers.sealer import seal_next

from services.analytics.tests.conftest import Archive, Events

EACH = 12
NUMBER = 3


@pytest.fixture
async def orgs(fresh: App, events: Events, archive: Archive) -> list[UUID]:
    """Three organizations whose events lie among each other, all with a position."""
    found = [new_id() for _ in range(NUMBER)]
    await archive(fresh, [events.raw(events.received(), org) for _ in range(EACH) for org in found])
    while await seal_next(fresh.db):
        pass
    return found


async def read(app: App, *orgs: UUID) -> tuple[list[int], set[UUID], int]:
    """Everything a reading brings: positions, whose they are, and where it ends."""
    wanted = Reading(id=new_id(), request_id=new_id(), queue="", filter=Filter(organizations=list(orgs)))
    positions: list[int] = []
    seen: set[UUID] = set()
    after = 0
    while (stretch := await next_stretch(app, wanted, after)) is not None:
        assert stretch.after == after < stretch.upto
        assert len(stretch.events) == len(stretch.positions)
        positions += stretch.positions
        seen.update(stretch.organizations)
        after = stretch.upto
    return positions, seen, after


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("few", [stretches.FEW, 0])
@pytest.mark.parametrize("most", [stretches.MAX_EVENTS, 5])
@pytest.mark.parametrize("page", [stretches.PAGE, 4, EACH])
async def test_few_organizations_are_read_to_the_end_of_the_archive(
    fresh: App, orgs: list[UUID], monkeypatch: pytest.MonkeyPatch, number: int, few: int, most: int, page: int
) -> None:
    """Each by its own index or all looked through, however the pages fall: the same events."""
    monkeypatch.setattr(stretches, "FEW", few)
    monkeypatch.setattr(stretches, "MAX_EVENTS", most)
    monkeypatch.setattr(stretches, "PAGE", page)
    sql = "SELECT array_agg(position ORDER BY position) FROM ledger WHERE organization_id = ANY ($1)"
    positions, seen, end = await read(fresh, *orgs[:number])
    assert positions == await fresh.db.fetchval(sql, orgs[:number])
    assert seen >= set(orgs[:number])
    assert end == NUMBER * EACH, "who keeps the position need not look through these again"


async def test_what_comes_later_is_behind_the_end(
    fresh: App, orgs: list[UUID], events: Events, archive: Archive
) -> None:
    *_, end = await read(fresh, orgs[0])
    await archive(fresh, [events.raw(events.received(), org) for org in orgs])
    await seal_next(fresh.db)
    reading = Reading(
        id=new_id(), request_id=new_id(), queue="", filter=Filter(organizations=orgs[:1]), after=end
    )
    stretch = await next_stretch(fresh, reading, end)
    assert stretch is not None
    assert len(stretch.events) == 1
    assert stretch.upto == end + NUMBER
    assert await next_stretch(fresh, reading, stretch.upto) is None
