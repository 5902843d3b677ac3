"""What is sensitive takes a recent proof; organizations may demand a second factor of everybody."""

import pyotp
import pytest
from flotilla.events.auth import OrganizationUpdated, SessionEnded
from flotilla.events.security import UserStepUpPassed
from flotilla.testing import Client, Harness
from flotilla_auth.testing import PASSWORD, People, Person, claims, fresh_email

from services.auth.tests.authenticators import Authenticator

KEY = {"name": "ERP", "scopes": ["contacts:read"]}
SENSITIVE = [
    ("POST", "/v1/api-keys", KEY),
    ("PUT", "/v1/me/password", {"current_password": PASSWORD, "password": "nine herons wait at the weir"}),
    ("POST", "/v1/me/totp", None),
    ("POST", "/v1/me/totp/confirm", {"code": "000000"}),
    ("DELETE", "/v1/me/totp", None),
    ("POST", "/v1/me/recovery-codes", None),
    ("PATCH", "/v1/organization", {"second_factor_required": False}),
    ("POST", "/v1/roles", {"name": "Night shift", "permissions": {"contacts:read": "all"}}),
    ("POST", "/v1/invitations", {"email": "a@northwind.example", "role": "admin"}),
    ("POST", "/v1/invitations", {"email": "a@northwind.example", "role": "owner"}),
]


def long_ago(auth: Harness, person: Person) -> Client:
    """The same session, ten minutes and a second after its sign-in."""
    return auth.client(person.org, "owner", person.id, person.session, authenticated_seconds_ago=601)


@pytest.mark.parametrize(("method", "path", "body"), SENSITIVE)
async def test_what_is_sensitive_takes_a_recent_proof(
    auth: Harness, owner: Person, method: str, path: str, body: object
) -> None:
    answer = await long_ago(auth, owner).request(method, path, json=body)
    assert (answer.status, answer.json()["type"]) == (401, "/problems/step-up-required")
    assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]


async def test_roles_are_given_by_who_has_just_proven_who_they_are(
    auth: Harness, people: People, owner: Person
) -> None:
    member = await people.member(owner, "viewer")
    path, stale = f"/v1/users/{member.id}", long_ago(auth, owner)
    for change in ({"role": "admin"}, {"role_id": str(member.id)}, {"state": "active"}):
        assert (await stale.patch(path, change)).json()["type"] == "/problems/step-up-required"
    assert (await stale.patch(path, {"state": "deactivated"})).status == 200, "nobody waits to end access"
    assert (await owner.client.patch(path, {"state": "active"})).status == 200
    invited = await stale.post("/v1/invitations", {"email": fresh_email(), "role": "team_member"})
    assert invited.status == 201


async def test_no_program_gives_power_whatever_its_scopes(
    auth: Harness, people: People, owner: Person
) -> None:
    member = await people.member(owner, "viewer")
    scopes = ("api_keys:write", "invitations:write", "organization:write", "roles:write", "users:write")
    program = auth.client(owner.org, "owner", owner.id, scopes=scopes)
    given = [each for each in SENSITIVE if not each[1].startswith("/v1/me")]
    for method, path, body in (*given, ("PATCH", f"/v1/users/{member.id}", {"role": "admin"})):
        answer = await program.request(method, path, json=body)
        assert (answer.status, answer.json()["type"]) == (401, "/problems/step-up-required"), path


async def test_a_password_proves_anew_where_there_is_no_second_factor(auth: Harness, owner: Person) -> None:
    client = long_ago(auth, owner)
    wrong = await client.post("/v1/step-up", {"password": "not the password at all"})
    assert (wrong.status, wrong.json()["errors"][0]["pointer"]) == (422, "/password")
    before = claims(owner.signed_in["access_token"])

    passed = await client.post("/v1/step-up", {"password": PASSWORD})

    assert passed.status == 200, passed.body
    said = claims(passed.json()["access_token"])
    assert (said["sid"], said["acr"]) == (str(owner.session), "aal1")
    assert said["auth_time"] >= before["auth_time"]
    event = await auth.spy.expect(UserStepUpPassed, lambda event: event.org == owner.org)
    assert (event.data.session_id, event.data.method) == (owner.session, "password")


async def test_who_has_a_second_factor_proves_that(auth: Harness, owner: Person) -> None:
    phone = await Authenticator.added(auth, owner)
    client = long_ago(auth, owner)
    assert (await client.post("/v1/step-up", {"password": PASSWORD})).status == 422
    assert (await client.post("/v1/step-up", {"code": "000000"})).status == 422
    passed = await client.post("/v1/step-up", {"code": await phone.code()})
    assert claims(passed.json()["access_token"])["acr"] == "aal2"


async def test_a_proof_is_remembered_by_the_session_and_no_older_one_counts(
    auth: Harness, people: People, owner: Person
) -> None:
    async with auth.app.db.transaction(owner.org) as tx:
        await tx.execute(
            "UPDATE sessions SET authenticated_at = now() - interval '1 hour'"
            " WHERE organization_id = $1 AND id = $2",
            owner.org,
            owner.session,
        )
    renewed = claims((await people.refresh(owner.refresh_token)).json()["access_token"])
    assert renewed["iat"] - renewed["auth_time"] >= 3600, "a refresh proves nothing"


async def test_an_ended_session_is_not_stepped_up(auth: Harness, owner: Person) -> None:
    assert (await owner.client.post("/v1/sign-out")).status == 204
    assert (await owner.client.post("/v1/step-up", {"password": PASSWORD})).status == 401


async def test_nobody_demands_what_they_do_not_have(owner: Person) -> None:
    refused = await owner.client.patch("/v1/organization", {"second_factor_required": True})
    assert refused.status == 409


async def test_an_organization_demands_a_second_factor_of_everybody(
    auth: Harness, people: People, owner: Person
) -> None:
    member = await people.member(owner, "team_member")
    await Authenticator.added(auth, owner)
    strong = auth.client(owner.org, "owner", owner.id, owner.session, factors=2)
    assert (await strong.patch("/v1/organization", {"second_factor_required": True})).status == 200

    changed = await auth.spy.expect(
        OrganizationUpdated, lambda event: event.org == owner.org and event.data.second_factor_required
    )
    assert changed.data.changed["second_factor_required"] == [False, True]
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == member.session)
    assert ended.data.reason == "second_factor_required"
    assert (await people.refresh(member.refresh_token)).status == 401
    assert (await people.refresh(owner.refresh_token)).status == 200, "they had proved theirs"
    assert (await strong.delete("/v1/me/totp")).status == 409

    half_way = (await people.sign_in(member.email)).json()
    assert half_way["state"] == "enrolment"
    token = {"pending_token": half_way["pending_token"]}
    nobody = auth.anonymous()
    refused = await nobody.post("/v1/sign-in/second-factor", {**token, "recovery_code": "x"})
    assert refused.status == 409
    secret = (await nobody.post("/v1/sign-in/enrolment", token)).json()["secret"]
    wrong = await nobody.post("/v1/sign-in/enrolment/complete", {**token, "code": "000000"})
    assert wrong.status == 401
    body = {**token, "code": pyotp.TOTP(secret).now()}
    done = await nobody.post("/v1/sign-in/enrolment/complete", body)
    assert done.status == 200, done.body
    assert len(done.json()["recovery_codes"]) == 10
    assert claims(done.json()["access_token"])["acr"] == "aal2"
    assert (await people.sign_in(member.email)).json()["state"] == "second_factor"


async def test_who_took_their_factor_away_comes_again(auth: Harness, people: People, owner: Person) -> None:
    member = await people.member(owner, "team_member")
    for person in (owner, member):
        await Authenticator.added(auth, person)
    assert (await member.client.delete("/v1/me/totp")).status == 204
    renewed = (await people.refresh(member.refresh_token)).json()
    assert claims(renewed["access_token"])["acr"] == "aal1"
    strong = auth.client(owner.org, "owner", owner.id, owner.session, factors=2)

    assert (await strong.patch("/v1/organization", {"second_factor_required": True})).status == 200

    assert (await people.refresh(renewed["refresh_token"])).status == 401
    assert (await people.sign_in(member.email)).json()["state"] == "enrolment"


async def test_who_comes_by_invitation_adds_one_first(auth: Harness, people: People, owner: Person) -> None:
    await Authenticator.added(auth, owner)
    strong = auth.client(owner.org, "owner", owner.id, owner.session, factors=2)
    assert (await strong.patch("/v1/organization", {"second_factor_required": True})).status == 200
    invited = await strong.post("/v1/invitations", {"email": f"x{owner.email}", "role": "viewer"})
    accepted = await people.accept(await people.token_of(invited))
    assert accepted.json()["state"] == "enrolment"
    assert "access_token" not in accepted.json()
