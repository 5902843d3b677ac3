"""Roles, and the end of access."""

import asyncio

from flotilla.events.auth import InvitationRevoked, SessionEnded, UserDeactivated, UserUpdated
from flotilla.testing import Harness
from flotilla_auth.testing import PASSWORD, People, Person, claims, fresh_email


async def test_a_role_is_given_and_told(auth: Harness, people: People, owner: Person) -> None:
    member = await people.member(owner, "viewer")

    answer = await owner.client.patch(f"/v1/users/{member.id}", {"role": "team_member"})

    assert (answer.status, answer.json()["role"], answer.headers["ETag"]) == (200, "team_member", '"2"')
    event = await auth.spy.expect(UserUpdated, lambda event: event.data.user_id == member.id)
    assert event.data.changed == {"role": ["viewer", "team_member"]}
    assert (event.sequence, event.envelope.audience) == (2, "org")
    refreshed = await people.refresh(member.refresh_token)
    assert claims(refreshed.json()["access_token"])["role"] == "team_member"


async def test_who_loses_permissions_is_signed_out(auth: Harness, people: People, owner: Person) -> None:
    admin = await people.member(owner, "admin")

    await owner.client.patch(f"/v1/users/{admin.id}", {"role": "viewer"})

    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == admin.session)
    assert ended.data.reason == "revoked"
    assert (await people.refresh(admin.refresh_token)).status == 401


async def test_who_is_deactivated_is_out_at_once(auth: Harness, people: People, owner: Person) -> None:
    admin = await people.member(owner, "admin")
    kept = await admin.client.post("/v1/invitations", {"email": fresh_email(), "role": "admin"})
    token = await people.token_of(kept)
    second = people.person(await people.sign_in(admin.email))

    answer = await owner.client.patch(f"/v1/users/{admin.id}", {"state": "deactivated"})

    assert answer.json()["state"] == "deactivated"
    await auth.spy.expect(UserDeactivated, lambda event: event.data.user_id == admin.id)
    await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == second.session)
    ended = {event.data.session_id: event.data.reason for event in auth.spy.of(SessionEnded, owner.org)}
    assert ended == {admin.session: "user_deactivated", second.session: "user_deactivated"}
    assert (await people.refresh(admin.refresh_token)).status == 401
    assert (await people.sign_in(admin.email)).status == 403
    revoked = await auth.spy.expect(InvitationRevoked, lambda event: event.org == owner.org)
    assert str(revoked.data.invitation_id) == kept.json()["id"]
    assert (await people.accept(token)).status == 404, "no way back by one's own invitation"
    late = await admin.client.patch(f"/v1/users/{owner.id}", {"state": "deactivated"})
    assert late.status == 403, "an access token that is still good gives no power"

    await owner.client.patch(f"/v1/users/{admin.id}", {"state": "active"})
    assert (await people.sign_in(admin.email)).status == 200


async def test_signing_in_while_access_ends_leaves_no_session(people: People, owner: Person) -> None:
    member = await people.member(owner, "team_member")
    path = f"/v1/users/{member.id}"

    for _ in range(5):
        await owner.client.patch(path, {"state": "active"})
        signed_in, _ = await asyncio.gather(
            people.sign_in(member.email), owner.client.patch(path, {"state": "deactivated"})
        )
        if signed_in.status == 200:
            assert (await people.refresh(signed_in.json()["refresh_token"])).status == 401


async def test_the_last_owner_stays(people: People, owner: Person) -> None:
    path = f"/v1/users/{owner.id}"

    for change in ({"role": "admin"}, {"state": "deactivated"}):
        answer = await owner.client.patch(path, change)
        assert (answer.status, answer.json()["type"]) == (409, "/problems/conflict")


async def test_two_owners_who_leave_at_once_leave_one(people: People, owner: Person) -> None:
    second = await people.member(owner, "owner")

    answers = await asyncio.gather(
        owner.client.patch(f"/v1/users/{owner.id}", {"role": "admin"}),
        second.client.patch(f"/v1/users/{second.id}", {"role": "admin"}),
    )

    assert sorted(answer.status for answer in answers) == [200, 409]


async def test_who_owns_no_more_keeps_no_way_back(auth: Harness, people: People, owner: Person) -> None:
    second = await people.member(owner, "owner")
    kept = await people.token_of(
        await second.client.post("/v1/invitations", {"email": fresh_email(), "role": "owner"})
    )
    key = {"name": "ERP", "scopes": ["organization:write"]}
    made = (await second.client.post("/v1/api-keys", key)).json()["id"]

    demoted = await owner.client.patch(f"/v1/users/{second.id}", {"role": "admin"})

    assert demoted.status == 200, demoted.body
    assert (await people.accept(kept)).status == 404, "only owners make owners"
    assert (await owner.client.get(f"/v1/api-keys/{made}")).json()["state"] == "revoked"
    await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == second.session)
    assert (await people.sign_in(second.email)).json()["user"]["role"] == "admin"


async def test_administrators_make_and_change_no_owners(people: People, owner: Person) -> None:
    admin = await people.member(owner, "admin")
    member = await people.member(owner, "team_member")

    refused = [
        await admin.client.patch(f"/v1/users/{member.id}", {"role": "owner"}),
        await admin.client.patch(f"/v1/users/{admin.id}", {"role": "owner"}),
        await admin.client.patch(f"/v1/users/{owner.id}", {"role": "viewer"}),
        await admin.client.patch(f"/v1/users/{owner.id}", {"state": "deactivated"}),
        await admin.client.post("/v1/invitations", {"email": fresh_email(), "role": "owner"}),
    ]

    assert [answer.status for answer in refused] == [403] * 5
    assert (await admin.client.patch(f"/v1/users/{member.id}", {"role": "viewer"})).status == 200


async def test_a_change_of_what_was_not_read_is_refused(people: People, owner: Person) -> None:
    member = await people.member(owner, "viewer")
    path = f"/v1/users/{member.id}"
    tag = (await owner.client.get(path)).headers["ETag"]
    await owner.client.patch(path, {"role": "team_member"}, headers={"If-Match": tag})

    late = await owner.client.patch(path, {"role": "admin"}, headers={"If-Match": tag})

    assert (late.status, late.headers["ETag"]) == (412, '"2"')
    assert (await owner.client.get(path)).json()["role"] == "team_member"


async def test_a_change_to_what_is_already_so_tells_nothing(
    auth: Harness, people: People, owner: Person
) -> None:
    member = await people.member(owner, "viewer")

    answer = await owner.client.patch(f"/v1/users/{member.id}", {"role": "viewer"})

    assert (answer.status, answer.headers["ETag"]) == (200, '"1"')


async def test_roles_permit_what_their_table_says(people: People, owner: Person) -> None:
    table = {
        role["name"]: role["permissions"] for role in (await owner.client.get("/v1/roles")).json()["items"]
    }
    for role in ("viewer", "client"):
        person = await people.member(owner, role)
        allowed = (await person.client.get("/v1/users")).status
        assert allowed == (200 if "users:read" in table[role] else 403)
        assert (await person.client.patch(f"/v1/users/{owner.id}", {"role": "viewer"})).status == 403
        me = (await person.client.get("/v1/me")).json()
        assert (me["role"], me["permissions"]) == (role, table[role])


async def test_people_change_themselves(auth: Harness, owner: Person) -> None:
    assert (await owner.client.get("/v1/me")).json()["time_zone"] is None, "their organization's"
    wanted = {"name": " Grace ", "locale": "de-AT", "time_zone": "Europe/Vienna"}
    answer = await owner.client.patch("/v1/me", wanted)

    assert (answer.json()["name"], answer.json()["locale"]) == ("Grace", "de-AT")
    assert (await owner.client.get(f"/v1/users/{owner.id}")).json()["time_zone"] == "Europe/Vienna"
    refused = await owner.client.patch("/v1/me", {"time_zone": "Europe/Atlantis"})
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/time_zone")
    event = await auth.spy.expect(UserUpdated, lambda event: event.data.user_id == owner.id)
    assert event.data.changed == {
        "name": ["Ada", "Grace"],
        "locale": ["en", "de-AT"],
        "time_zone": [None, "Europe/Vienna"],
    }
    assert (await owner.client.patch("/v1/me", {"role": "owner"})).status == 422


async def test_somebody_in_two_organizations_chooses_one(people: People, owner: Person) -> None:
    other = await people.owner()
    token = await people.invite(other, owner.email)
    assert (await people.accept(token, "not their password")).status == 401
    joined = await people.accept(token, PASSWORD)
    assert joined.json()["user"]["id"] == str(owner.id)

    default = people.person(await people.sign_in(owner.email))
    chosen = people.person(await people.sign_in(owner.email, organization_id=str(other.org)))
    neither = await people.sign_in(owner.email, organization_id=str((await people.owner()).org))

    assert (default.org, chosen.org, neither.status) == (owner.org, other.org, 403)
    assert chosen.signed_in["user"]["role"] == "viewer"
    listed = (await chosen.client.get("/v1/me/organizations")).json()["items"]
    assert {each["id"]: (each["role"], each["current"]) for each in listed} == {
        str(owner.org): ("owner", False),
        str(other.org): ("viewer", True),
    }
    program = people.auth.client(other.org, "viewer", owner.id, scopes=("profile:read",))
    seen = (await program.get("/v1/me/organizations")).json()["items"]
    assert [each["id"] for each in seen] == [str(other.org)], "a program is of one organization"
    assert (await other.client.patch(f"/v1/users/{owner.id}", {"state": "deactivated"})).status == 200
    left = (await default.client.get("/v1/me/organizations")).json()["items"]
    assert [each["id"] for each in left] == [str(owner.org)]
