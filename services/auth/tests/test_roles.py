"""Roles that an organization makes itself."""

from typing import Any
from uuid import UUID

import pytest
from flotilla.events.auth import RoleUpdated, SessionEnded, UserUpdated
from flotilla.ids import new_id
from flotilla.security.permissions import KNOWN, ROLES, SCOPED, SHOWS
from flotilla.testing import Harness
from flotilla_auth.testing import People, Person, claims

Json = dict[str, Any]
SUPPORT = {"conversations:read": "all", "clients:assign": "team", "teams:read": "all"}


async def _role(owner: Person, name: str = "Support", permissions: Json | None = None) -> str:
    made = await owner.client.post("/v1/roles", {"name": name, "permissions": permissions or SUPPORT})
    assert made.status == 201, made.body
    return str(made.json()["id"])


async def _give(owner: Person, person: Person, role_id: str) -> Json:
    given = await owner.client.patch(f"/v1/users/{person.id}", {"role_id": role_id})
    assert given.status == 200, given.body
    shown: Json = given.json()
    return shown


async def test_a_role_is_made_given_and_told(auth: Harness, people: People, owner: Person) -> None:
    member = await people.member(owner, "viewer")
    role_id = await _role(owner)
    told = await auth.spy.expect(RoleUpdated, lambda event: event.org == owner.org)
    assert told.data.permissions == SUPPORT | {"profile:read": "all", "profile:write": "all"}
    assert (told.data.base, told.envelope.audience) == ("team_member", None)

    shown = await _give(owner, member, role_id)

    assert (shown["role"], shown["role_id"]) == ("team_member", role_id)
    event = await auth.spy.expect(
        UserUpdated, lambda event: event.org == owner.org and event.data.role_id is not None
    )
    assert event.data.changed["role_id"] == [None, role_id]
    again = (await people.sign_in(member.email)).json()
    said = claims(again["access_token"])
    assert (said["role"], said["rid"]) == ("team_member", role_id)
    me = (await member.client.get("/v1/me")).json()
    assert me["permissions"] == sorted([*SUPPORT, "profile:read", "profile:write"])
    back = await owner.client.patch(f"/v1/users/{member.id}", {"role": "viewer"})
    assert (back.json()["role"], back.json()["role_id"]) == ("viewer", None)


async def test_all_roles_are_listed(owner: Person) -> None:
    role_id = await _role(owner)
    listed = (await owner.client.get("/v1/roles")).json()["items"]
    assert [each["name"] for each in listed] == [*ROLES, "Support"]
    assert (listed[0]["id"], listed[-1]["id"]) == (None, role_id)
    assert listed[-1]["scopes"]["clients:assign"] == "team"
    assert (await owner.client.get(f"/v1/roles/{role_id}")).json() == listed[-1]


async def test_a_role_that_loses_permissions_signs_its_people_out(
    auth: Harness, people: People, owner: Person
) -> None:
    member, other = [await people.member(owner, "viewer") for _ in range(2)]
    role_id = await _role(owner)
    await _give(owner, member, role_id)
    signed_in = people.person(await people.sign_in(member.email))
    path = f"/v1/roles/{role_id}"

    wider = {"permissions": SUPPORT | {"billing:read": "all"}}
    changed = await owner.client.patch(path, wider, headers={"If-Match": '"1"'})

    assert (changed.status, changed.json()["base"]) == (200, "team_owner")
    user = await auth.spy.expect(
        UserUpdated, lambda event: event.data.user_id == member.id and event.data.role == "team_owner"
    )
    assert user.data.changed == {"role": ["team_member", "team_owner"]}
    assert (await people.refresh(signed_in.refresh_token)).status == 200, "who gains stays"
    assert (await owner.client.patch(path, wider, headers={"If-Match": '"1"'})).status == 412

    narrower = await owner.client.patch(path, {"permissions": {"conversations:read": "all"}})

    assert narrower.json()["base"] == "viewer"
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == signed_in.session)
    assert ended.data.reason == "revoked"
    assert not [event for event in auth.spy.of(SessionEnded, owner.org) if event.data.user_id == other.id]


async def test_a_role_that_somebody_has_stays(auth: Harness, people: People, owner: Person) -> None:
    member = await people.member(owner, "viewer")
    role_id = await _role(owner)
    await _give(owner, member, role_id)
    assert (await owner.client.delete(f"/v1/roles/{role_id}")).status == 409
    await owner.client.patch(f"/v1/users/{member.id}", {"role": "viewer"})

    assert (await owner.client.delete(f"/v1/roles/{role_id}")).status == 204

    told = await auth.spy.expect(
        RoleUpdated, lambda event: event.org == owner.org and event.data.state == "deleted"
    )
    assert told.sequence == 2
    assert (await owner.client.get(f"/v1/roles/{role_id}")).status == 404
    assert (await owner.client.patch(f"/v1/users/{member.id}", {"role_id": role_id})).status == 422
    await _role(owner)


@pytest.mark.parametrize(
    "permissions",
    [
        {"users:write": "all"},
        {"roles:write": "all"},
        {"api_keys:write": "all"},
        {"invitations:write": "all"},
        {"inboxes:read": "team"},
        {"clients:assign": "own"},
        {"conversations:read": "own", "drafts:read": "all"},
        {"deals:paint": "all"},
        {"public": "all"},
        {"deals:read": "mine"},
    ],
)
async def test_what_no_role_can_have(owner: Person, permissions: Json) -> None:
    refused = await owner.client.post("/v1/roles", {"name": "Sly", "permissions": permissions})
    assert refused.status == 422, refused.body


def test_every_permission_was_looked_at_for_whose_records_it_shows() -> None:
    """A new one is about records with owners, shows them in another way, or neither: then it stands here."""
    assert KNOWN - set(SCOPED) - set(SHOWS) == {
        *(
            "accounts:read",
            "accounts:write",
            "api_keys:read",
            "api_keys:write",
            "billing:read",
            "billing:write",
        ),
        *("bookings:configure", "clients:assign", "counterparties:read", "counterparties:write"),
        *("events:subscribe", "feature_flags:read", "feature_flags:write", "inboxes:read", "inboxes:write"),
        *("invitations:write", "invoices:read", "invoices:write", "knowledge:read", "knowledge:write"),
        *("leads:configure", "organization:read", "organization:write", "pipelines:read", "pipelines:write"),
        *("privacy:read", "privacy:write", "profile:read", "profile:write", "public", "replays:read"),
        *(
            "roles:write",
            "search:read",
            "surveys:write",
            "teams:read",
            "teams:write",
            "users:read",
            "users:write",
        ),
    }


async def test_a_role_for_less_than_all(auth: Harness, people: People, owner: Person) -> None:
    member = await people.member(owner, "viewer")
    wide = {"conversations:read": "all", "deals:read": "team", "messages:send": "own"}
    made = await owner.client.post("/v1/roles", {"name": "Sales", "permissions": wide})
    assert (made.status, made.json()["scopes"] | wide) == (201, made.json()["scopes"])
    await _give(owner, member, made.json()["id"])
    signed_in = people.person(await people.sign_in(member.email))
    path = f"/v1/roles/{made.json()['id']}"

    narrow = {"permissions": wide | {"conversations:read": "own"}}
    assert (await owner.client.patch(path, narrow)).status == 200
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == signed_in.session)
    assert ended.data.reason == "revoked", "who has something for less is signed out"


async def test_what_team_members_have_for_less(owner: Person) -> None:
    listed = (await owner.client.get("/v1/roles")).json()["items"]
    scopes = {role["name"]: role["scopes"] for role in listed if role["id"] is None}
    assert scopes["team_member"]["contacts:delete"] == "own"
    assert set(scopes["admin"].values()) == {"all"}


async def test_names_are_not_shared(owner: Person) -> None:
    first, second = await _role(owner), await _role(owner, "Sales")
    for name in ("support", "admin", "Owner"):
        taken = await owner.client.post("/v1/roles", {"name": name, "permissions": {}})
        assert taken.status == 409, name
        assert (await owner.client.patch(f"/v1/roles/{second}", {"name": name})).status == 409, name
    assert (await owner.client.patch(f"/v1/roles/{first}", {"name": "SUPPORT"})).status == 200


async def test_for_ones_own_teams_alone(auth: Harness, people: People, owner: Person) -> None:
    member, stranger = await people.member(owner, "viewer"), await people.owner()
    mine, others, foreign = [
        f"/v1/teams/{(await each.client.post('/v1/teams', {'name': name})).json()['id']}"
        for each, name in ((owner, "a"), (owner, "b"), (stranger, "c"))
    ]
    grants = {"clients:assign": "team", "teams:write": "team"}
    client = auth.client(owner.org, "team_owner", member.id, grants=grants)
    contact = {"contact_id": str(new_id())}

    async def came(team: str) -> list[int]:
        """Of all that can be done with a team, each once."""
        tried: list[tuple[str, str, Any]] = [
            ("PATCH", team, {"skills": ["mugs"]}),
            ("PUT", f"{team}/members/{owner.id}", {}),
            ("POST", f"{team}/assignments", contact),
            ("DELETE", f"{team}/assignments/{contact['contact_id']}", None),
            ("DELETE", f"{team}/members/{owner.id}", None),
        ]
        return [(await client.request(method, path, json=body)).status for method, path, body in tried]

    assert await came(mine) == [403] * 5, "none of theirs yet"
    assert (await client.put(f"{mine}/members/{member.id}", {})).status == 403, (
        "nor do they let themselves in"
    )
    await owner.client.put(f"{mine}/members/{member.id}", {})
    assert await came(mine) == [200, 200, 200, 204, 204]
    assert await came(others) == [403] * 5
    assert await came(foreign) == [404] * 5
    assert await came(f"/v1/teams/{new_id()}") == [404] * 5
    assert (await client.post("/v1/teams", {"name": "d"})).status == 403
    assert (await client.get("/v1/teams")).status == 403, "which it was not granted"
    await owner.client.delete(f"{mine}/members/{member.id}")
    assert await came(mine) == [403] * 5, "theirs no more"


async def test_who_sees_what_is_their_teams_brings_nobody_in(
    auth: Harness, people: People, owner: Person
) -> None:
    lead, colleague, stranger = [await people.member(owner, "viewer") for _ in range(3)]
    mine, others = [
        f"/v1/teams/{(await owner.client.post('/v1/teams', {'name': name})).json()['id']}" for name in "ab"
    ]
    for person in (lead, colleague):
        assert (await owner.client.put(f"{mine}/members/{person.id}", {})).status == 200
    for scope in ("team", "all"):
        grants = {"contacts:read": "team", "teams:write": scope}
        client = auth.client(owner.org, "team_owner", lead.id, grants=grants)
        added = await client.put(f"{mine}/members/{stranger.id}", {})
        assert (added.status, added.json()["type"]) == (403, "/problems/forbidden"), (
            "their records would be its"
        )
        assert (await client.put(f"{others}/members/{lead.id}", {})).status == 403, "nor that team's people's"
        changed = await client.put(f"{mine}/members/{colleague.id}", {"capacity": 3 + len(scope)})
        assert changed.status == 200, "who is there already is no more"
    assert (await client.put(f"{others}/members/{stranger.id}", {})).status == 200, "which shows nothing more"


async def test_nobody_takes_a_client_from_a_team_that_is_not_theirs(
    auth: Harness, people: People, owner: Person
) -> None:
    member = await people.member(owner, "viewer")
    mine, others = [
        f"/v1/teams/{(await owner.client.post('/v1/teams', {'name': name})).json()['id']}" for name in "ab"
    ]
    for team, person in ((mine, member), (others, owner)):
        await owner.client.put(f"{team}/members/{person.id}", {})
    client = auth.client(owner.org, "team_owner", member.id, grants={"clients:assign": "team"})
    contact = {"contact_id": str(new_id())}
    assert (await owner.client.post(f"{others}/assignments", contact)).status == 200

    for wanted in (contact, {**contact, "user_id": str(member.id)}):
        assert (await client.post(f"{mine}/assignments", wanted)).status == 403
    kept = (await owner.client.get(f"{others}/assignments")).json()["items"]
    assert [(each["contact_id"], each["user_id"]) for each in kept] == [
        (contact["contact_id"], str(owner.id))
    ]

    await owner.client.put(f"{others}/members/{member.id}", {})
    moved = await client.post(f"{mine}/assignments", contact)
    assert (moved.status, moved.json()["user_id"]) == (200, str(member.id)), "from one of theirs to another"
    await owner.client.delete(f"{mine}/assignments/{contact['contact_id']}")
    await owner.client.delete(f"{others}/members/{member.id}")
    assert (await client.post(f"{mine}/assignments", contact)).status == 200, "nobody takes care of them now"


async def test_nothing_of_another_organizations_roles(people: People, owner: Person) -> None:
    stranger, role_id = await people.owner(), await _role(owner)
    path = f"/v1/roles/{role_id}"
    assert (await stranger.client.get(path)).status == 404
    assert (await stranger.client.patch(path, {"name": "Mine"})).status == 404
    assert (await stranger.client.delete(path)).status == 404
    member = await people.member(stranger, "viewer")
    given = await stranger.client.patch(f"/v1/users/{member.id}", {"role_id": role_id})
    assert given.status == 422
    viewer = await people.member(owner, "viewer")
    assert (await viewer.client.post("/v1/roles", {"name": "x", "permissions": {}})).status == 403
    both = {"role": "viewer", "role_id": str(UUID(role_id))}
    assert (await owner.client.patch(f"/v1/users/{viewer.id}", both)).status == 422
