"""Organizations that let others read of them, and parents that look after children: by grant, and no further."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events.auth import SessionEnded, UserDeactivated
from flotilla.events.sharing import (
    OrganizationEntered,
    OrganizationGrantAccepted,
    OrganizationGrantCreated,
    OrganizationGrantRevoked,
)
from flotilla.testing import Harness, eventually
from flotilla_auth.grants import LEAVE
from flotilla_auth.testing import PASSWORD, People, Person, claims

from services.auth.tests.authenticators import Authenticator

GIVEN = "/v1/organization/grants"
RECEIVED = "/v1/organization/received-grants"
READS = ["contacts:read", "deals:read"]
Json = dict[str, Any]


async def _slug(owner: Person) -> str:
    return str((await owner.client.get("/v1/organization")).json()["slug"])


async def _grant(owner: Person, to: Person, **more: Any) -> Json:
    wanted = {"organization_slug": await _slug(to), "permissions": READS} | more
    made = await owner.client.post(GIVEN, wanted)
    assert made.status == 201, made.body
    grant: Json = made.json()
    return grant


def _is(grant_id: str, org: UUID, event: Received[Any]) -> bool:
    return str(event.data.grant_id) == grant_id and event.org == org


@pytest.fixture
async def other(people: People) -> Person:
    """The owner of another organization."""
    return await people.owner(organization="Kite")


async def test_what_is_granted_is_what_the_token_says(auth: Harness, owner: Person, other: Person) -> None:
    grant = await _grant(owner, other)
    for org in (owner.org, other.org):
        told = await auth.spy.expect(OrganizationGrantCreated, partial(_is, grant["id"], org))
        assert told.data.permissions == READS
    assert [each["id"] for each in (await other.client.get(RECEIVED)).json()["items"]] == [grant["id"]]
    assert [each["id"] for each in (await owner.client.get(GIVEN)).json()["items"]] == [grant["id"]]

    token = await other.client.post(f"{RECEIVED}/{grant['id']}/token")
    assert token.status == 201, token.body
    said = claims(token.json()["access_token"])
    assert (UUID(said["org"]), UUID(said["via"])) == (owner.org, other.org)
    assert (said["reads"].split(), said["gid"]) == (READS, grant["id"])
    assert UUID(said["sid"]) == other.session, "it ends with the session at home"
    assert "scope" not in said


async def test_nobody_reads_more_than_at_home(people: People, owner: Person, other: Person) -> None:
    grant = await _grant(owner, other)
    client = await people.member(other, "client")
    assert (await client.client.post(f"{RECEIVED}/{grant['id']}/token")).status == 403
    role = await other.client.post(
        "/v1/roles", {"name": "Own", "permissions": {"contacts:read": "all", "organization:read": "all"}}
    )
    assert role.status == 201, role.body
    narrow = people.auth.client(
        other.org,
        "viewer",
        other.id,
        other.session,
        grants={"contacts:read": "all", "organization:read": "all"},
    )
    token = await narrow.post(f"{RECEIVED}/{grant['id']}/token")
    assert token.json()["permissions"] == ["contacts:read"]


async def test_a_grant_ends_at_once_by_either_side(auth: Harness, owner: Person, other: Person) -> None:
    for ends in (owner, other):
        grant = await _grant(owner, other)
        path = f"{GIVEN if ends is owner else RECEIVED}/{grant['id']}"
        assert (await ends.client.delete(path)).status == 204
        for org in (owner.org, other.org):
            told = await auth.spy.expect(OrganizationGrantRevoked, partial(_is, grant["id"], org))
            assert told.data.revoked_by == ends.org
        assert (await other.client.post(f"{RECEIVED}/{grant['id']}/token")).status == 409
        assert (await ends.client.delete(path)).status == 204, "one that has ended stays so"


async def test_who_demands_a_second_factor_demands_it_of_guests(
    auth: Harness, people: People, owner: Person, other: Person
) -> None:
    grant = await _grant(owner, other)
    path = f"{RECEIVED}/{grant['id']}/token"
    assert (await other.client.post(path)).status == 201
    strong = auth.client(owner.org, "owner", owner.id, owner.session, factors=2)
    assert (await strong.patch("/v1/organization", {"second_factor_required": True})).status == 200

    refused = await other.client.post(path)

    assert (refused.status, refused.json()["type"]) == (409, "/problems/conflict")
    assert "second factor" in refused.json()["detail"]
    await Authenticator.added(auth, other)
    assert (await other.client.post(path)).status == 201


async def test_a_token_ends_with_its_grant(owner: Person, other: Person) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=2)
    grant = await _grant(owner, other, expires_at=soon.isoformat())
    token = (await other.client.post(f"{RECEIVED}/{grant['id']}/token")).json()
    assert token["expires_in"] <= 120
    assert claims(token["access_token"])["exp"] <= soon.timestamp() + 1


@pytest.mark.parametrize(
    "body",
    [
        {"permissions": []},
        {"permissions": ["contacts:write"]},
        {"permissions": ["archive:read"]},
        {"permissions": ["events:subscribe"]},
        {"kind": "administration", "permissions": READS},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"organization_slug": "nobody-has-this"},
    ],
)
async def test_what_cannot_be_granted(owner: Person, other: Person, body: Json) -> None:
    wanted = {"organization_slug": await _slug(other), "permissions": READS} | body
    assert (await owner.client.post(GIVEN, wanted)).status == 422


async def test_programs_are_told_how_they_read_of_another_organization(
    people: People, owner: Person, other: Person
) -> None:
    grant = await _grant(owner, other)
    program = people.auth.client(other.org, "owner", other.id, scopes=("organization:read", "contacts:read"))
    refused = await program.post(f"{RECEIVED}/{grant['id']}/token")
    assert (refused.status, refused.json()["type"]) == (403, "/problems/programs-are-no-guests")
    assert "API key" in refused.json()["detail"]


async def test_only_owners_grant_and_only_who_received_uses(
    people: People, owner: Person, other: Person
) -> None:
    admin = await people.member(owner, "admin")
    wanted = {"organization_slug": await _slug(other), "permissions": READS}
    assert (await admin.client.post(GIVEN, wanted)).status == 403
    grant = await _grant(owner, other)
    stranger = await people.owner(organization="Stranger")
    for path in (f"{GIVEN}/{grant['id']}", f"{RECEIVED}/{grant['id']}"):
        assert (await stranger.client.get(path)).status == 404
        assert (await stranger.client.delete(path)).status == 404
    assert (await stranger.client.post(f"{RECEIVED}/{grant['id']}/token")).status == 404
    assert (await owner.client.post(f"{RECEIVED}/{grant['id']}/token")).status == 404
    assert (await other.client.post(f"{RECEIVED}/{grant['id']}/sessions")).status == 409


async def test_a_parent_takes_over_by_both_sides_consent(
    auth: Harness, people: People, owner: Person, other: Person
) -> None:
    offered = await _grant(owner, other, kind="administration", permissions=[])
    assert offered["state"] == "offered"
    path = f"{RECEIVED}/{offered['id']}"
    assert (await other.client.post(f"{path}/sessions")).status == 409, "it is not accepted"
    admin = await people.member(other, "admin")
    assert (await admin.client.post(f"{path}/accept")).status == 403
    refused = await other.client.post(f"{path}/accept")
    assert (refused.status, refused.json()["type"]) == (403, "/problems/feature-not-included")
    await people.may_have_children(other.org)
    assert (await other.client.post(f"{path}/accept")).status == 200
    await auth.spy.expect(OrganizationGrantAccepted, lambda event: event.org == owner.org)
    member = await people.member(other, "team_owner")
    assert (await member.client.post(f"{path}/sessions")).status == 403

    entered = await admin.client.post(f"{path}/sessions")
    assert entered.status == 201, entered.body
    inside = people.person(entered)
    assert (inside.org, inside.id, inside.signed_in["user"]["role"]) == (owner.org, admin.id, "admin")
    told = await auth.spy.expect(OrganizationEntered, lambda event: event.org == owner.org)
    assert (told.data.parent_id, told.data.user_id) == (other.org, admin.id)
    assert (await inside.client.get("/v1/users")).status == 200
    second = await owner.client.post(
        GIVEN, {"organization_slug": await _slug(await people.owner()), "kind": "administration"}
    )
    assert second.status == 409, "a child has one parent"

    assert (await owner.client.delete(f"{GIVEN}/{offered['id']}")).status == 204
    await auth.spy.expect(
        SessionEnded, lambda event: event.org == owner.org and event.data.session_id == inside.session
    )
    assert (await people.refresh(inside.refresh_token)).status == 401
    assert (await admin.client.post(f"{path}/sessions")).status == 409
    assert (await people.sign_in(admin.email, organization_id=str(owner.org))).status == 403


async def test_whoever_came_by_a_grant_leaves_as_it_lapses(
    auth: Harness, people: People, owner: Person, other: Person
) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    grant = await _grant(owner, other, kind="administration", permissions=[], expires_at=until)
    await people.may_have_children(other.org)
    path = f"{RECEIVED}/{grant['id']}"
    assert (await other.client.post(f"{path}/accept")).status == 200
    inside = people.person(await other.client.post(f"{path}/sessions"))
    assert (await people.refresh(inside.refresh_token)).status == 200

    due = "UPDATE jobs SET due_at = now() WHERE kind = $1 AND key LIKE $2"
    assert await auth.app.db.execute(due, LEAVE, f"{owner.org}:{other.id}:%") == "UPDATE 1", "a day later"

    left = await auth.spy.expect(UserDeactivated, lambda event: event.org == owner.org)
    assert left.data.user_id == other.id
    await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == inside.session)
    assert (await people.sign_in(other.email, organization_id=str(owner.org))).status == 403


async def test_who_manages_the_parent_no_longer_leaves_its_children(
    auth: Harness, people: People, owner: Person
) -> None:
    await people.may_have_children(owner.org)
    founded = await owner.client.post("/v1/organization/children", {"name": "Northwind Tea"})
    assert founded.status == 201, founded.body
    child = founded.json()
    path = f"{RECEIVED}/{child['received_grant_id']}"
    admin = await people.member(owner, "admin")
    inside = people.person(await admin.client.post(f"{path}/sessions"))
    assert str(inside.org) == child["id"]

    demoted = await owner.client.patch(f"/v1/users/{admin.id}", {"role": "team_member"})
    assert demoted.status == 200, demoted.body
    left = await auth.spy.expect(UserDeactivated, lambda event: str(event.org) == child["id"])
    assert left.data.user_id == admin.id
    assert (await people.refresh(inside.refresh_token)).status == 401


async def test_a_founder_owns_the_child_and_is_its_own_member(people: People, owner: Person) -> None:
    await people.may_have_children(owner.org)
    child = (await owner.client.post("/v1/organization/children", {"name": "Northwind Tea"})).json()
    inside = people.person(await people.sign_in(owner.email, PASSWORD, organization_id=child["id"]))
    assert inside.signed_in["user"]["role"] == "owner"
    entered = people.person(await owner.client.post(f"{RECEIVED}/{child['received_grant_id']}/sessions"))
    assert entered.signed_in["user"]["role"] == "owner"
    assert (await inside.client.delete(f"{GIVEN}/{child['received_grant_id']}")).status == 204

    async def still_in() -> bool:
        return bool((await people.refresh(inside.refresh_token)).status == 200)

    await eventually(still_in, what="whose own it is stays")


async def test_children_take_a_plan_that_has_them(people: People, owner: Person) -> None:
    child = {"name": "Northwind Tea"}
    refused = await owner.client.post("/v1/organization/children", child)
    assert (refused.status, refused.json()["type"]) == (403, "/problems/feature-not-included")
    assert refused.json()["feature"] == "child_organizations"
    assert "PUT /v1/subscription" in refused.json()["detail"]
    await people.may_have_children(owner.org, limit=1)
    founded = await owner.client.post("/v1/organization/children", child)
    assert founded.status == 201, founded.body
    await people.may_have_children(owner.org, used=1, limit=1)
    refused = await owner.client.post("/v1/organization/children", child)
    assert (refused.status, refused.json()["type"]) == (402, "/problems/limit-reached")
    assert "GET /v1/usage" in refused.json()["detail"]
    path = f"{RECEIVED}/{founded.json()['received_grant_id']}"
    assert (await owner.client.post(f"{path}/sessions")).status == 201, "what is there goes on"
    assert (await owner.client.delete(path)).status == 204
