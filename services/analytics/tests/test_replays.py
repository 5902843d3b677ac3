"""A replay as an operator and an organization see it: from the wish to the answer, over the real archive."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flotilla.bus.envelope import Received
from flotilla.bus.topology import declare_all
from flotilla.events.analytics import ReplayFailed, ReplayFinished, ReplayRequested
from flotilla.events.crm import CompanyCreated, CompanyUpdated
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.testing import Harness, eventually, synthetic
from flotilla.testing.harness import running
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from services.analytics.tests.conftest import Events

PUT = "INSERT INTO companies (organization_id, id, name, sequence) VALUES ($1, $2, $3, $4)"


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


@pytest.fixture(scope="module")
async def crm(analytics: Harness, worker: str) -> AsyncIterator[Harness]:
    """The synthetic service, on the same broker."""
    async with isolated(synthetic.service, worker) as own:
        beside = own.with_isolation(vhost=analytics.instance.vhost)
        await declare_all(beside.amqp_url, [synthetic.service])
        async with running(synthetic.service, instance=beside, replay_settle_seconds=0.6) as harness:
            yield harness


async def names(crm: Harness, org: UUID) -> dict[UUID, str]:
    async with crm.app.db.transaction(org) as tx:
        return {row["id"]: row["name"] for row in await tx.fetch("SELECT id, name FROM companies")}


async def put(crm: Harness, org: UUID, company_id: UUID, name: str, sequence: int = 1) -> None:
    async with crm.app.db.transaction(org) as tx:
        await tx.execute(PUT, org, company_id, name, sequence)


async def told(analytics: Harness, crm: Harness, org: UUID, count: int, events: Events) -> dict[UUID, str]:
    """So many companies, each renamed once, archived and known to crm."""
    made = [events.company(name=f"company {number}") for number in range(count)]
    for each in made:
        await analytics.publish(each, org=org, sequence=1)
        await analytics.publish(renamed(each, f"{each.name} renamed"), org=org, sequence=2)
    wanted = {each.company_id: f"{each.name} renamed" for each in made}

    async def known() -> bool:
        client = analytics.client(org)
        page = (await client.get("/v1/archive/events?type=company.updated.v1&limit=200")).json()["items"]
        return len(page) == count and await names(crm, org) == wanted

    await eventually(known, what="everything known and archived")
    return wanted


def renamed(before: CompanyCreated, name: str) -> CompanyUpdated:
    return CompanyUpdated(**msgspec.structs.asdict(before) | {"name": name})


def answers_to(replay_id: UUID) -> Callable[[Received[Any]], bool]:
    return lambda answer: answer.data.replay_id == replay_id


async def ended(analytics: Harness, org: UUID, replay_id: UUID) -> dict[str, Any]:
    client = analytics.client(org)

    async def read() -> dict[str, Any] | None:
        replay: dict[str, Any] = (await client.get(f"/v1/replays/{replay_id}")).json()
        return replay if replay.get("state") in ("finished", "failed") else None

    found = await eventually(read, seconds=30, what="the replay ended")
    assert found is not None
    return found


def platform(service: str, **wanted: Any) -> ReplayRequested:
    """What an operator wishes."""
    return ReplayRequested(request_id=new_id(), replay_id=new_id(), service=service, **wanted)


async def test_an_organization_has_its_rows_built_anew(
    analytics: Harness, crm: Harness, org: UUID, events: Events
) -> None:
    wanted, other = await told(analytics, crm, org, 20, events), new_id()
    first = next(iter(wanted))
    async with crm.app.db.transaction(org) as tx:
        await tx.execute("DELETE FROM companies WHERE id = $1", first)
        await tx.execute("UPDATE companies SET name = 'corrupted', sequence = 77 WHERE id <> $1", first)
    await put(crm, other, invented := new_id(), "of others")
    owner = analytics.client(org)
    answer = await owner.post("/v1/replays", {"service": "crm"})
    assert answer.status == 202, answer.body
    replay = await ended(analytics, org, UUID(answer.json()["id"]))
    assert replay["state"] == "finished", replay
    assert (replay["added"], replay["updated"], replay["removed"], replay["events"]) == (1, 19, 0, 20)
    assert replay["projections"] == ["keep_company"]
    assert await names(crm, org) == wanted
    assert await names(crm, other) == {invented: "of others"}
    assert (await owner.get("/v1/replays?service=crm")).json()["items"][0]["id"] == replay["id"]
    stranger = analytics.client(new_id())
    assert (await stranger.get(f"/v1/replays/{replay['id']}")).status == 404
    assert (await stranger.get("/v1/replays")).json()["items"] == []
    for role in ("team_owner", "viewer", "client"):
        assert (await analytics.client(org, role).post("/v1/replays", {"service": "crm"})).status == 403


async def test_the_platform_has_all_of_them_built_anew(
    analytics: Harness, crm: Harness, org: UUID, events: Events
) -> None:
    other = new_id()
    wanted = await told(analytics, crm, org, 3, events)
    theirs = await told(analytics, crm, other, 3, events)
    for each in (org, other):
        await put(crm, each, new_id(), "never was", 5)
    wish = platform("crm", latest=False)
    await analytics.publish(wish, org=PLATFORM_ORG)
    replay = await ended(analytics, PLATFORM_ORG, wish.replay_id)
    assert replay["state"] == "finished", replay
    assert replay["removed"] >= 2
    assert await names(crm, org) == wanted
    assert await names(crm, other) == theirs


async def test_who_cannot_answer_is_answered_for(analytics: Harness, crm: Harness) -> None:
    for service, reason in (
        ("fax", "there is no such service"),
        ("kyb", "it has no projection that can be built anew"),
    ):
        wish = platform(service)
        await analytics.publish(wish, org=PLATFORM_ORG)
        replay = await ended(analytics, PLATFORM_ORG, wish.replay_id)
        assert (replay["state"], replay["reason"]) == ("failed", reason)
        await analytics.spy.expect(ReplayFailed, answers_to(wish.replay_id))
        answers = [e for e in analytics.spy.of(ReplayFailed) if e.data.replay_id == wish.replay_id]
        assert len(answers) == 1


async def test_only_one_answer_to_a_wish_told_twice(
    analytics: Harness, crm: Harness, org: UUID, events: Events
) -> None:
    await told(analytics, crm, org, 2, events)
    wish = platform("crm")
    for _ in range(3):
        await analytics.publish(wish, org=PLATFORM_ORG, sequence=1)
    await ended(analytics, PLATFORM_ORG, wish.replay_id)
    again = platform("crm")
    await analytics.publish(again, org=PLATFORM_ORG)
    await ended(analytics, PLATFORM_ORG, again.replay_id)
    for id_ in (wish.replay_id, again.replay_id):
        await analytics.spy.expect(ReplayFinished, answers_to(id_))
    answers = [e for e in analytics.spy.of(ReplayFinished) if e.data.replay_id == wish.replay_id]
    assert len(answers) == 1
    assert not [e for e in analytics.spy.of(ReplayFailed) if e.data.replay_id == wish.replay_id]


async def test_events_parked_before_the_archive_fail_it(
    analytics: Harness, crm: Harness, org: UUID, events: Events
) -> None:
    before = await told(analytics, crm, org, 1, events)
    await analytics.app.db.execute(
        "INSERT INTO parked_events (event_id, handler, lane, type, organization_id, body, state, error, stack)"
        " VALUES ($1, 'archive', 'archive', 'company.created.v1', $2, '', 'parked', '', '')",
        parked := new_id(),
        org,
    )
    try:
        answer = await analytics.client(org).post("/v1/replays", {"service": "crm"})
        replay = await ended(analytics, org, UUID(answer.json()["id"]))
        assert replay["reason"] == "1 events of these types are parked before the archive"
        assert await names(crm, org) == before
    finally:
        await analytics.app.db.execute("DELETE FROM parked_events WHERE event_id = $1", parked)
