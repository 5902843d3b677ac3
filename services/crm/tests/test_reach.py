"""Own, team or all: whose records a role sees and changes."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flotilla.ids import new_id
from flotilla.problems import ForbiddenError
from flotilla.security.permissions import SCOPED
from flotilla.security.principal import MOST_COLLEAGUES, Principal
from flotilla.security.reach import current_reach, reach_of
from flotilla.testing import Harness
from flotilla.testing.harness import Client

from services.crm.tests.bookings import a_host, shown, tomorrow
from services.crm.tests.conftest import Colleague

MATE, OTHER, NOBODY = "mate", "other", "nobody"


@pytest.fixture
async def people(colleague: Colleague) -> dict[str, UUID]:
    """Me, somebody of my team, somebody of another."""
    return {name: await colleague() for name in ("me", MATE, OTHER)}


@pytest.fixture
async def contacts(crm: Harness, org: UUID, people: dict[str, UUID]) -> dict[str, str]:
    """A contact of each of them, and one of nobody."""
    made = {}
    for name in (*people, NOBODY):
        owner = str(people[name]) if name in people else None
        answer = await crm.client(org).post("/v1/contacts", {"name": f"Anna {name}", "owner_id": owner})
        made[name] = answer.json()["id"]
    return made


@pytest.fixture(autouse=True)
def everybodys() -> Iterator[None]:
    """No test leaves its reach to the next."""
    token = current_reach.set(None)
    yield
    current_reach.reset(token)


def _client(
    crm: Harness, org: UUID, people: dict[str, UUID], reads: str, writes: str | None = None
) -> Client:
    grants = {name: reads if name.endswith(":read") else writes or reads for name in SCOPED}
    return crm.client(org, "team_member", people["me"], grants=grants, colleagues=(people[MATE],))


async def _names(client: Client, path: str) -> set[str]:
    return {item["name"].removeprefix("Anna ") for item in (await client.get(path)).json()["items"]}


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        ("own", {"me"}),
        ("team", {"me", MATE, NOBODY}),
        ("all", {"me", MATE, OTHER, NOBODY}),
    ],
)
async def test_lists_searches_and_records(
    crm: Harness, org: UUID, people: dict[str, UUID], contacts: dict[str, str], scope: str, seen: set[str]
) -> None:
    client = _client(crm, org, people, scope)
    assert await _names(client, "/v1/contacts") == seen
    assert await _names(client, "/v1/contacts?q=anna") == seen
    for name, id_ in contacts.items():
        for path in (f"/v1/contacts/{id_}", f"/v1/contacts/{id_}/timeline", f"/v1/contacts/{id_}/consents"):
            assert (await client.get(path)).status == (200 if name in seen else 404), (name, path)
        changed = await client.patch(f"/v1/contacts/{id_}", {"language": "de"})
        assert changed.status == (200 if name in seen else 404), (name, changed.body)


async def test_what_is_seen_and_not_ones_own_is_not_changed_and_says_why(
    crm: Harness, org: UUID, people: dict[str, UUID], contacts: dict[str, str]
) -> None:
    client = _client(crm, org, people, "all", "own")
    for name in (MATE, OTHER, NOBODY):
        for refused in (
            await client.patch(f"/v1/contacts/{contacts[name]}", {"name": "Mine"}),
            await client.delete(f"/v1/contacts/{contacts[name]}"),
            await client.post(f"/v1/contacts/{contacts['me']}/merges", {"contact_id": contacts[name]}),
        ):
            assert (refused.status, "of your own only" in refused.json()["detail"]) == (403, True), name
    mine = f"/v1/contacts/{contacts['me']}"
    assert (await client.patch(mine, {"name": "Zoë"})).status == 200
    given = await client.patch(mine, {"owner_id": str(people[OTHER])})
    assert given.status == 403, "what is given away is no longer in reach"
    assert (await client.delete(mine)).status == 204


async def test_as_many_colleagues_as_a_principal_holds(
    crm: Harness, org: UUID, people: dict[str, UUID], contacts: dict[str, str]
) -> None:
    many = tuple(new_id() for _ in range(MOST_COLLEAGUES - 1))
    grants = dict.fromkeys(SCOPED, "team")
    client = crm.client(org, "team_member", people["me"], grants=grants, colleagues=(*many, people[MATE]))
    assert await _names(client, "/v1/contacts") == {"me", MATE, NOBODY}


async def test_what_somebody_makes_is_their_own(crm: Harness, org: UUID, people: dict[str, UUID]) -> None:
    client = _client(crm, org, people, "own")
    for path, body, owner in (
        ("/v1/contacts", {"name": "Ben"}, "owner_id"),
        ("/v1/companies", {"name": "Ink"}, "owner_id"),
        ("/v1/tasks", {"title": "Call"}, "assignee_id"),
    ):
        made = await client.post(path, body)
        assert (made.status, made.json()[owner]) == (201, str(people["me"])), made.body
        assert (await client.get(f"{path}/{made.json()['id']}")).status == 200
        another = await client.post(path, {**body, owner: str(people[OTHER])})
        assert another.status == 403, another.body


async def test_a_booking_is_made_with_who_is_in_reach(
    crm: Harness, org: UUID, people: dict[str, UUID], contacts: dict[str, str]
) -> None:
    for name in (OTHER, "me"):
        await a_host(crm, org, partial(_known, people[name]))
    client = _client(crm, org, people, "own")
    wanted = {"contact_id": contacts["me"], "starts_at": shown(tomorrow(1))}
    another = await client.post("/v1/bookings", {**wanted, "host_ids": [str(people[OTHER])]})
    assert another.status == 403, another.body
    made = await client.post("/v1/bookings", wanted)
    assert (made.status, made.json()["host_id"]) == (201, str(people["me"])), made.body
    theirs = await crm.client(org).post("/v1/bookings", {**wanted, "host_ids": [str(people[OTHER])]})
    assert theirs.status == 201, theirs.body
    assert [each["id"] for each in (await client.get("/v1/bookings")).json()["items"]] == [made.json()["id"]]
    assert (await client.get(f"/v1/bookings/{theirs.json()['id']}")).status == 404
    assert (await client.post(f"/v1/bookings/{theirs.json()['id']}/cancel")).status == 404


async def _known(user_id: UUID, role: str = "") -> UUID:
    return user_id


async def test_a_note_is_seen_with_whom_it_is_about(
    crm: Harness, org: UUID, people: dict[str, UUID], contacts: dict[str, str]
) -> None:
    note = await crm.client(org).post("/v1/notes", {"text": "Tea", "contact_id": contacts[OTHER]})
    reads = dict.fromkeys(SCOPED, "all")
    sees = crm.client(org, "team_member", people["me"], grants=reads)
    hidden = crm.client(org, "team_member", people["me"], grants={**reads, "contacts:read": "own"})
    assert (await sees.get(f"/v1/notes/{note.json()['id']}")).status == 200
    assert (await hidden.get(f"/v1/notes/{note.json()['id']}")).status == 404
    assert (await hidden.get("/v1/notes")).json()["items"] == []


async def test_colleagues_delete_what_is_their_own(
    crm: Harness, org: UUID, people: dict[str, UUID], contacts: dict[str, str]
) -> None:
    member = crm.client(org, "team_member", people["me"])
    assert (await member.delete(f"/v1/contacts/{contacts[OTHER]}")).status == 403
    assert (await member.patch(f"/v1/contacts/{contacts[OTHER]}", {"name": "Zoë"})).status == 200
    assert (await member.delete(f"/v1/contacts/{contacts['me']}")).status == 204


async def test_a_domain_that_another_has_is_taken_without_a_word_of_whom(
    crm: Harness, org: UUID, people: dict[str, UUID]
) -> None:
    hidden = await crm.client(org).post("/v1/companies", {"name": "Ink", "domain": "ink.example"})
    taken = await _client(crm, org, people, "own").post(
        "/v1/companies", {"name": "I", "domain": "ink.example"}
    )
    assert (taken.status, hidden.json()["id"].encode() in taken.body) == (409, False)


async def test_lists_of_everybodys_take_the_permission_for_all(
    crm: Harness, org: UUID, people: dict[str, UUID]
) -> None:
    client = _client(crm, org, people, "team")
    for path in ("/v1/segments", "/v1/imports", "/v1/contacts/duplicates"):
        refused = await client.get(path)
        assert (refused.status, "for all records" in refused.json()["detail"]) == (403, True), path


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE contacts SET name = 'x' WHERE organization_id = $1",
        "UPDATE contacts SET owner_id = $2 WHERE organization_id = $1",
        "DELETE FROM contacts WHERE organization_id = $1 AND owner_id IS DISTINCT FROM $2",
    ],
)
async def test_the_database_itself_refuses(
    crm: Harness, org: UUID, people: dict[str, UUID], contacts: dict[str, str], sql: str
) -> None:
    """Whatever a statement of ours forgets."""
    grants: dict[str, Any] = {"contacts:read": "all", "contacts:write": "own"}
    who = Principal(
        org=org, user_id=people["me"], session_id=new_id(), role="team_member", expires_at=0, grants=grants
    )
    current_reach.set(reach_of(who, "contacts:write"))
    with pytest.raises(ForbiddenError):
        async with crm.app.db.transaction(org) as tx:
            await tx.execute(sql + ("" if "$2" in sql else " AND $2::uuid IS NOT NULL"), org, people["me"])
