"""Teams over HTTP: members, clients that are given to them, and who is there."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.auth import (
    AgentPresenceChanged,
    ClientAssigned,
    TeamCreated,
    TeamMemberAdded,
    TeamMemberRemoved,
    TeamUpdated,
)
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_auth.testing import People, Person

Json = dict[str, Any]


async def _team(owner: Person, **fields: Any) -> str:
    made = await owner.client.post("/v1/teams", {"name": "Support", **fields})
    assert made.status == 201, made.body
    return f"/v1/teams/{made.json()['id']}"


async def _join(owner: Person, path: str, person: Person, **fields: Any) -> None:
    put = await owner.client.put(f"{path}/members/{person.id}", fields)
    assert put.status == 200, put.body


async def _assign(client: Client, path: str, contact: UUID | None = None, **fields: Any) -> Json:
    answer = await client.post(f"{path}/assignments", {"contact_id": str(contact or new_id()), **fields})
    assert answer.status == 200, answer.body
    given: Json = answer.json()
    return given


async def test_a_team_is_made_and_changed_and_told(auth: Harness, owner: Person) -> None:
    hours = [{"weekday": 1, "opens": "09:00", "closes": "17:00"}]
    path = await _team(owner, skills=["german"], hours=hours, time_zone="Europe/Berlin")
    created = await auth.spy.expect(TeamCreated, lambda event: event.org == owner.org)
    assert (created.data.skills, created.data.hours[0].opens) == (["german"], "09:00")

    changed = await owner.client.patch(path, {"distribution": "weighted"}, headers={"If-Match": '"1"'})

    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    told = await auth.spy.expect(TeamUpdated, lambda event: event.org == owner.org)
    assert told.data.changed == {"distribution": ["round_robin", "weighted"]}
    shown = (await owner.client.get(path)).json()
    assert (shown["hours"], shown["distribution"]) == (hours, "weighted")
    assert (await owner.client.patch(path, {"name": "X"}, headers={"If-Match": '"1"'})).status == 412
    assert [each["name"] for each in (await owner.client.get("/v1/teams")).json()["items"]] == ["Support"]


async def test_members_come_change_and_go(auth: Harness, people: People, owner: Person) -> None:
    member = await people.member(owner, "team_member")
    path = await _team(owner, skills=["german"])
    await _join(owner, path, member, skills=["german"], lead=True)
    await _join(owner, path, member, skills=["german"], lead=True)
    await _join(owner, path, member, capacity=3)
    told = await auth.spy.expect(
        TeamMemberAdded, lambda event: event.org == owner.org and event.sequence == 2
    )
    assert (told.data.user_id, told.data.capacity, told.data.lead) == (member.id, 3, False)
    assert len(auth.spy.of(TeamMemberAdded, owner.org)) == 2, "what changes nothing is not told"
    given = await _assign(owner.client, path)

    assert (await owner.client.delete(f"{path}/members/{member.id}")).status == 204

    gone = await auth.spy.expect(TeamMemberRemoved, lambda event: event.org == owner.org)
    assert (gone.data.membership_id, gone.sequence) == (told.data.membership_id, 3)
    released = await auth.spy.expect(
        ClientAssigned, lambda event: event.org == owner.org and event.data.user_id is None
    )
    assert (str(released.data.contact_id), released.data.before_user_id) == (given["contact_id"], member.id)
    assert (await owner.client.get(f"{path}/members")).json()["items"] == []
    assert (await owner.client.get(f"{path}/assignments")).json()["items"] == []
    assert (await owner.client.delete(f"{path}/members/{member.id}")).status == 404


async def test_who_loses_access_leaves_their_teams(auth: Harness, people: People, owner: Person) -> None:
    member = await people.member(owner, "team_member")
    paths = [await _team(owner), await _team(owner)]
    for path in paths:
        await _join(owner, path, member)
        await _assign(owner.client, path)

    await owner.client.patch(f"/v1/users/{member.id}", {"state": "deactivated"})

    for path in paths:
        assert (await owner.client.get(f"{path}/members")).json()["items"] == []
        assert (await owner.client.get(f"{path}/assignments")).json()["items"] == []
    again = await owner.client.put(f"{paths[0]}/members/{member.id}", {})
    assert again.status == 409


async def test_a_client_stays_with_who_has_them(auth: Harness, people: People, owner: Person) -> None:
    anna, bela = [await people.member(owner, "team_member") for _ in range(2)]
    path, contact = await _team(owner), new_id()
    for person in (anna, bela):
        await _join(owner, path, person)
    first = await _assign(anna.client, path, contact)
    assert first["reason"] == "round_robin"
    assert await _assign(bela.client, path, contact) == first, "asking again changes nothing"

    assert (await anna.client.delete(f"{path}/assignments/{contact}")).status == 204

    back = await _assign(anna.client, path, contact)
    assert (back["user_id"], back["reason"]) == (first["user_id"], "sticky")
    other = next(each for each in (anna, bela) if str(each.id) != first["user_id"])
    moved = await _assign(anna.client, path, contact, user_id=str(other.id))
    assert (moved["user_id"], moved["reason"]) == (str(other.id), "chosen")
    last = await auth.spy.expect(ClientAssigned, lambda event: event.org == owner.org and event.sequence == 4)
    assert (last.data.before_user_id, last.data.user_id) == (UUID(first["user_id"]), other.id)
    assert (await anna.client.delete(f"{path}/assignments/{new_id()}")).status == 404


async def test_a_shut_teams_clients_go_to_who_works_elsewhere_at_this_hour(
    people: People, owner: Person
) -> None:
    anna, bela = [await people.member(owner, "team_member") for _ in range(2)]
    never_now = (datetime.now(UTC) + timedelta(days=3)).isoweekday()
    shut = await _team(owner, hours=[{"weekday": never_now, "opens": "00:00", "closes": "23:59"}])
    for person in (anna, bela):
        await _join(owner, shut, person)
    assert {(await _assign(owner.client, shut))["user_id"] for _ in range(4)} == {str(anna.id), str(bela.id)}
    await _join(owner, await _team(owner), bela)
    assert {(await _assign(owner.client, shut))["user_id"] for _ in range(3)} == {str(bela.id)}
    assert (await anna.client.put("/v1/me/presence", {"status": "online"})).status == 200
    assert (await _assign(owner.client, shut))["user_id"] == str(anna.id), "who is there takes them"


async def test_clients_are_shared_out_exactly_by_two_replicas(
    auth: Harness, people: People, owner: Person, start_service: StartService
) -> None:
    members = [await people.member(owner, "team_member") for _ in range(3)]
    path = await _team(owner)
    for person in members:
        await _join(owner, path, person, capacity=10)
    async with start_service("auth", instance=auth.instance) as second:
        clients = [owner.client, second.client(owner.org, "owner", owner.id)]

        given = await asyncio.gather(*(_assign(clients[number % 2], path) for number in range(30)))

        assert Counter(each["user_id"] for each in given) == {str(person.id): 10 for person in members}
        full = await clients[1].post(f"{path}/assignments", {"contact_id": str(new_id())})
    assert full.status == 409
    await auth.spy.expect(
        ClientAssigned, lambda _: len(auth.spy.of(ClientAssigned, owner.org)) == 30, seconds=10
    )


async def test_one_client_that_two_assign_at_once_is_given_once(
    auth: Harness, people: People, owner: Person
) -> None:
    members = [await people.member(owner, "team_member") for _ in range(2)]
    path, contact = await _team(owner), new_id()
    for person in members:
        await _join(owner, path, person)

    given = await asyncio.gather(*(_assign(owner.client, path, contact) for _ in range(8)))

    assert len({each["user_id"] for each in given}) == 1


async def test_what_makes_no_sense_is_refused(people: People, owner: Person) -> None:
    member, stranger = await people.member(owner, "team_member"), await people.owner()
    path = await _team(owner, skills=["german"], distribution="by_skill")
    await _join(owner, path, member)
    skills = {"skills": ["french"]}
    assert (await owner.client.put(f"{path}/members/{member.id}", skills)).status == 422
    assert (await owner.client.put(f"{path}/members/{stranger.id}", {})).status == 404
    contact = {"contact_id": str(new_id())}
    assert (await owner.client.post(f"{path}/assignments", contact)).status == 422, "by which skill?"
    assert (await owner.client.post(f"{path}/assignments", {**contact, "skill": "german"})).status == 409
    chosen = {**contact, "user_id": str(stranger.id)}
    assert (await owner.client.post(f"{path}/assignments", chosen)).status == 422
    bad: list[Json] = [
        {"name": ""},
        {"skills": ["Fluent German"]},
        {"time_zone": "Mars/Olympus"},
        {"hours": [{"weekday": 1, "opens": "17:00", "closes": "09:00"}]},
        {"distribution": "by_luck"},
    ]
    for fields in bad:
        assert (await owner.client.post("/v1/teams", {"name": "X", **fields})).status == 422, fields
    await owner.client.patch(path, {"state": "archived"})
    assert (await owner.client.post(f"{path}/assignments", contact)).status == 409


async def test_nothing_of_another_organizations_teams(people: People, owner: Person) -> None:
    member, stranger = await people.member(owner, "team_member"), await people.owner()
    path = await _team(owner)
    await _join(owner, path, member)
    given = await _assign(owner.client, path)
    routes: list[tuple[str, str, Any]] = [
        ("GET", path, None),
        ("PATCH", path, {"name": "Mine"}),
        ("GET", f"{path}/members", None),
        ("PUT", f"{path}/members/{member.id}", {}),
        ("DELETE", f"{path}/members/{member.id}", None),
        ("POST", f"{path}/assignments", {"contact_id": str(new_id())}),
        ("GET", f"{path}/assignments", None),
        ("DELETE", f"{path}/assignments/{given['contact_id']}", None),
    ]
    for method, at, body in routes:
        assert (await stranger.client.request(method, at, json=body)).status == 404, (method, at)
    viewer = await people.member(owner, "viewer")
    assert (await viewer.client.get(path)).status == 200
    assert (await viewer.client.post(f"{path}/assignments", {"contact_id": str(new_id())})).status == 403
    assert (await member.client.patch(path, {"name": "Mine"})).status == 403


async def test_people_say_that_they_are_there(auth: Harness, people: People, owner: Person) -> None:
    said = await owner.client.put("/v1/me/presence", {"status": "online"})
    assert (said.status, said.json()["status"]) == (200, "online")
    assert (await owner.client.put("/v1/me/presence", {"status": "online"})).status == 200
    await owner.client.put("/v1/me/presence", {"status": "busy"})

    busy = await auth.spy.expect(
        AgentPresenceChanged, lambda event: event.org == owner.org and event.data.status == "busy"
    )

    assert (busy.sequence, busy.data.changed) == (2, {"status": ["online", "busy"]})
    viewer = await people.member(owner, "viewer")
    (shown,) = (await viewer.client.get("/v1/presences")).json()["items"]
    assert (shown["user_id"], shown["status"]) == (str(owner.id), "busy")
    assert (await owner.client.put("/v1/me/presence", {"status": "asleep"})).status == 422
    nobody = auth.client(owner.org)
    assert (await nobody.put("/v1/me/presence", {"status": "online"})).status == 404


@pytest.mark.parametrize("heard", [False, True])
async def test_who_is_not_heard_of_is_offline(auth: Harness, owner: Person, heard: bool) -> None:
    async def ring() -> None:
        async with auth.app.db.transaction(owner.org) as tx:
            if not heard:
                await tx.execute("UPDATE presences SET until = now() WHERE user_id = $1", owner.id)
            await tx.execute("UPDATE jobs SET due_at = now() WHERE key = $1", f"{owner.org}:{owner.id}:1")

    await owner.client.put("/v1/me/presence", {"status": "online"})
    before = await auth.app.db.fetchval("SELECT id FROM jobs WHERE key = $1", f"{owner.org}:{owner.id}:1")
    await ring()
    if not heard:
        told = await auth.spy.expect(
            AgentPresenceChanged, lambda event: event.org == owner.org and event.data.status == "offline"
        )
        assert told.envelope.actor == "service:auth"
        return

    async def waits_again() -> bool:
        sql = "SELECT id FROM jobs WHERE key = $1 AND due_at > now()"
        found = await auth.app.db.fetchval(sql, f"{owner.org}:{owner.id}:1")
        return found is not None and found != before

    await eventually(waits_again)
    assert not [
        event for event in auth.spy.of(AgentPresenceChanged, owner.org) if event.data.status == "offline"
    ]
