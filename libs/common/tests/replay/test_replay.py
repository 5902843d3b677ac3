"""A service builds a projection anew: what the archive says takes the place of what stood, and nothing is lost."""

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
import pytest
from flotilla.events.analytics import ReplayFailed, ReplayFinished, ReplayStarted
from flotilla.events.crm import CompanyCreated, CompanyUpdated
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually, synthetic
from flotilla.testing.plugin import StartService

from libs.common.tests.bus.samples import task
from libs.common.tests.replay.archives import Archive

ROWS = "SELECT id, name, sequence FROM companies ORDER BY id"
PUT = """
INSERT INTO companies (organization_id, id, name, sequence) VALUES ($1, $2, $3, $4)
ON CONFLICT (organization_id, id) DO UPDATE SET name = excluded.name, sequence = excluded.sequence"""

Rows = dict[UUID, tuple[str, int]]


@pytest.fixture(scope="module")
async def service(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service(synthetic.service, replay_settle_seconds=0.6) as harness:
        yield harness


@pytest.fixture
async def archive(service: Harness) -> AsyncIterator[Archive]:
    async with Archive.on(service.instance, "crm") as archive:
        yield archive


def company(name: str, company_id: UUID | None = None) -> CompanyCreated:
    return CompanyCreated(company_id=company_id or new_id(), name=name, domain=None, owner_id=None, tags=[])


def renamed(before: CompanyCreated, name: str) -> CompanyUpdated:
    return CompanyUpdated(**msgspec.structs.asdict(before) | {"name": name})


async def rows(harness: Harness, org: UUID) -> Rows:
    async with harness.app.db.transaction(org) as tx:
        return {row["id"]: (row["name"], row["sequence"]) for row in await tx.fetch(ROWS)}


async def put(harness: Harness, org: UUID, company_id: UUID, name: str, sequence: int) -> None:
    async with harness.app.db.transaction(org) as tx:
        await tx.execute(PUT, org, company_id, name, sequence)


async def stands(harness: Harness, org: UUID, company_id: UUID, name: str) -> None:
    async def seen() -> bool:
        return (await rows(harness, org)).get(company_id, ("", 0))[0] == name

    await eventually(seen, what=name)


async def started(harness: Harness, archive: Archive) -> ReplayStarted:
    return (await harness.spy.expect(ReplayStarted, lambda event: event.data.replay_id == archive.id)).data


async def finished(harness: Harness, archive: Archive) -> ReplayFinished:
    return (await harness.spy.expect(ReplayFinished, lambda event: event.data.replay_id == archive.id)).data


async def failed(harness: Harness, archive: Archive) -> str:
    event = await harness.spy.expect(ReplayFailed, lambda event: event.data.replay_id == archive.id)
    assert event.envelope.source == "/flotilla/crm"
    assert event.data.request_id == archive.id
    return event.data.reason


async def test_what_was_lost_changed_or_invented_is_set_right_in_both_organizations(
    service: Harness, archive: Archive, org: UUID
) -> None:
    other, told = new_id(), [company(name) for name in ("Alder", "Birch", "Cedar")]
    theirs = company("Their own")
    await put(service, org, told[0].company_id, "corrupted", 1)
    await put(service, org, told[1].company_id, "Birch", 1)
    await put(service, org, invented := new_id(), "never was", 99)
    await put(service, other, theirs.company_id, "from the future", 7)
    await archive.open()
    assert (await started(service, archive)).types == [["company.created.v1", "company.updated.v1"]]
    await archive.tell(*[(each, org, 1) for each in told], (theirs, other, 1))
    await archive.tell((renamed(told[2], "Cedars"), org, 2), caught_up=True)
    data = await finished(service, archive)
    assert (data.added, data.updated, data.removed, data.events) == (1, 2, 1, 5)
    found = await rows(service, org)
    assert found == {
        told[0].company_id: ("Alder", 1),
        told[1].company_id: ("Birch", 1),
        told[2].company_id: ("Cedars", 2),
    }
    assert invented not in found
    assert await rows(service, other) == {theirs.company_id: ("Their own", 1)}


async def test_live_events_go_into_both_generations(service: Harness, archive: Archive, org: UUID) -> None:
    before, during = company("Before"), company("During")
    await service.publish(before, org=org, sequence=1)
    await stands(service, org, before.company_id, "Before")
    await archive.open()
    await started(service, archive)
    await service.publish(renamed(before, "Renamed"), org=org, sequence=2)
    await service.publish(during, org=org, sequence=1)
    await stands(service, org, before.company_id, "Renamed")
    await stands(service, org, during.company_id, "During")
    # The archive is behind: it knows neither.
    await archive.tell((before, org, 1), caught_up=True)
    data = await finished(service, archive)
    assert (data.added, data.updated, data.removed) == (0, 0, 0)
    assert await rows(service, org) == {before.company_id: ("Renamed", 2), during.company_id: ("During", 1)}


async def test_an_event_that_the_archive_gets_late_is_waited_for(
    service: Harness, archive: Archive, org: UUID
) -> None:
    late = company("Late")
    await service.publish(late, org=org, sequence=1)
    await stands(service, org, late.company_id, "Late")
    await archive.open()
    await started(service, archive)
    await archive.tell(organizations=[org], caught_up=True)
    await eventually(lambda: _compared(service, archive), what="the generations compared")
    assert service.spy.of(ReplayFinished, org) == []
    await archive.tell((late, org, 1))
    data = await finished(service, archive)
    assert (data.added, data.updated, data.removed) == (0, 0, 0)
    assert await rows(service, org) == {late.company_id: ("Late", 1)}


async def _compared(service: Harness, archive: Archive) -> bool:
    sql = "SELECT compared_at IS NOT NULL FROM replays WHERE id = $1"
    return bool(await service.app.db.fetchval(sql, archive.id))


async def test_stretches_may_come_twice_and_overlap(service: Harness, archive: Archive, org: UUID) -> None:
    told = [company(str(number)) for number in range(4)]
    await archive.open()
    await archive.open()
    first = await archive.tell(*[(each, org, 1) for each in told[:2]])
    await archive.send(first)
    longer = await archive.tell((told[2], org, 1))
    together = msgspec.structs.replace(
        longer, after=0, events=[*first.events, *longer.events], positions=[1, 2, 3]
    )
    await archive.send(together)
    await archive.tell((told[3], org, 1), caught_up=True)
    assert (await finished(service, archive)).events == 4
    assert sorted(name for name, _ in (await rows(service, org)).values()) == ["0", "1", "2", "3"]
    assert len([e for e in service.spy.of(ReplayStarted) if e.data.replay_id == archive.id]) == 1


async def test_a_hole_between_stretches_fails_the_replay(
    service: Harness, archive: Archive, org: UUID
) -> None:
    await put(service, org, standing := new_id(), "Standing", 1)
    await archive.open()
    archive.position = 5
    await archive.tell((company("after a hole"), org, 1), caught_up=True)
    assert "positions 1 to 5 have not come" in await failed(service, archive)
    assert await rows(service, org) == {standing: ("Standing", 1)}


async def test_two_at_once_are_refused(service: Harness, archive: Archive, org: UUID) -> None:
    second = archive.another()
    await archive.open()
    await started(service, archive)
    await second.open()
    assert await failed(service, second) == "another replay of crm is running"
    await second.tell((company("of the refused"), org, 1), caught_up=True)
    await archive.tell((mine := company("of the first"), org, 1), caught_up=True)
    await finished(service, archive)
    assert await rows(service, org) == {mine.company_id: ("of the first", 1)}


async def test_what_cannot_be_built_is_refused_with_words(service: Harness, archive: Archive) -> None:
    await archive.open("keep_nothing")
    assert await failed(service, archive) == "crm has no projection keep_nothing; it has keep_company"
    other = archive.another()
    await other.open(types=["deal.won.v1"])
    assert await failed(service, other) == "no projection of these takes deal.won.v1"


async def test_a_filtered_replay_sets_right_and_removes_nothing(
    service: Harness, archive: Archive, org: UUID
) -> None:
    told, other = company("Told"), new_id()
    await put(service, org, told.company_id, "corrupted", 2)
    await put(service, org, other, "not of this type", 1)
    await put(service, org, newer := new_id(), "newer", 9)
    await archive.open(types=["company.updated.v1"])
    await archive.tell(
        (renamed(told, "Right"), org, 2), (renamed(company("", newer), "older"), org, 3), caught_up=True
    )
    data = await finished(service, archive)
    assert (data.added, data.updated, data.removed) == (0, 1, 0)
    assert await rows(service, org) == {
        told.company_id: ("Right", 2),
        other: ("not of this type", 1),
        newer: ("newer", 9),
    }


async def test_one_organization_alone(service: Harness, archive: Archive, org: UUID) -> None:
    other, mine = new_id(), company("Mine")
    await put(service, org, new_id(), "gone", 1)
    await put(service, other, kept := new_id(), "as it is", 1)
    await archive.open(organizations=[org])
    await started(service, archive)
    await service.publish(theirs := company("live elsewhere"), org=other, sequence=1)
    await stands(service, other, theirs.company_id, "live elsewhere")
    await archive.tell((mine, org, 1), caught_up=True)
    await finished(service, archive)
    assert await rows(service, org) == {mine.company_id: ("Mine", 1)}
    assert set(await rows(service, other)) == {kept, theirs.company_id}


async def test_the_archive_may_give_up(service: Harness, archive: Archive, org: UUID) -> None:
    await put(service, org, standing := new_id(), "Standing", 1)
    await archive.open()
    await archive.tell((company("half"), org, 1))
    stretch = await archive.tell((company("more"), org, 1))
    await archive.send(msgspec.structs.replace(stretch, abort="three events are parked"))
    assert await failed(service, archive) == "three events are parked"
    assert await rows(service, org) == {standing: ("Standing", 1)}
    again = archive.another()
    await again.open()
    await again.tell((fresh := company("fresh"), org, 1), caught_up=True)
    await finished(service, again)
    assert set(await rows(service, org)) == {fresh.company_id}


async def test_who_waited_for_a_row_is_woken_by_its_return(
    service: Harness, archive: Archive, org: UUID
) -> None:
    lost = company("Lost")
    event_id = await service.publish(task(synthetic.WAITS, company_id=lost.company_id), org=org)
    parked = "SELECT state FROM parked_events WHERE event_id = $1"

    async def held() -> bool:
        return bool(await service.app.db.fetchval(parked, event_id) == "waiting")

    await eventually(held, what="held")
    await service.app.db.execute(
        "UPDATE parked_events SET due_at = now() + interval '1 day' WHERE event_id = $1", event_id
    )
    await archive.open()
    await archive.tell((lost, org, 1), caught_up=True)
    await finished(service, archive)

    async def done() -> bool:
        return await service.app.db.fetchval(parked, event_id) is None

    await eventually(done, what="woken")
