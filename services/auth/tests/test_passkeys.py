"""Passkeys: added, used alone and beside a password, renamed, removed; demanded by organizations."""

import pyotp
import pytest
from flotilla.events.auth import SessionEnded, UserLoggedIn
from flotilla.events.security import (
    UserPasskeyRenamed,
    UserSecondFactorAdded,
    UserSecondFactorRemoved,
    UserStepUpPassed,
)
from flotilla.privacy import Person as Subject
from flotilla.testing import Harness
from flotilla.testing.mailbox import Mailbox, text_of
from flotilla_auth.privacy import privacy
from flotilla_auth.store.people import forget
from flotilla_auth.testing import People, Person, claims

from services.auth.tests import keys
from services.auth.tests.authenticators import Authenticator
from services.auth.tests.soft_authenticator import SoftAuthenticator


@pytest.fixture
def device(origin: str) -> SoftAuthenticator:
    return SoftAuthenticator(origin)


async def test_a_passkey_signs_its_owner_in_without_a_password(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person, device: SoftAuthenticator
) -> None:
    other = people.person(await people.sign_in(owner.email))
    added = await keys.add(owner, device, "Ada's phone")
    assert len(added["recovery_codes"]) == 10
    told = await auth.spy.expect(UserSecondFactorAdded, lambda event: event.org == owner.org)
    assert (told.data.method, str(told.data.passkey_id)) == ("passkey", added["passkey"]["id"])
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == other.session)
    assert ended.data.reason == "second_factor_changed"
    assert "passkey" in text_of(await mailbox.expect(owner.email, "/forgot-password"))
    renewed = claims((await people.refresh(owner.refresh_token)).json()["access_token"])
    assert renewed["acr"] == "aal2", "they have just proved it"

    done = await keys.sign_in(auth, device)

    assert done.status == 200, done.body
    said = claims(done.json()["access_token"])
    assert (said["sub"], said["acr"]) == (str(owner.id), "aal2")
    session = people.person(done).session
    logged_in = await auth.spy.expect(UserLoggedIn, lambda event: event.data.session_id == session)
    assert logged_in.data.method == "passkey"
    (listed,) = (await owner.client.get("/v1/me/passkeys")).json()["items"]
    assert (listed["name"], listed["transports"]) == ("Ada's phone", ["internal"])
    assert listed["used_at"] is not None


async def test_a_passkey_is_a_second_factor(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    added = await keys.add(owner, device)
    first = (await people.sign_in(owner.email)).json()
    assert (first["state"], first["methods"]) == ("second_factor", ["passkey", "recovery_code"])
    device.verifies = False
    done = await keys.second_step(auth, first["pending_token"], device)
    assert done.status == 200, "what they have, after what they know"
    assert claims(done.json()["access_token"])["acr"] == "aal2"

    token = (await people.sign_in(owner.email)).json()["pending_token"]
    body = {"pending_token": token, "recovery_code": added["recovery_codes"][0]}
    assert (await auth.anonymous().post("/v1/sign-in/second-factor", body)).status == 200


async def test_a_passkey_steps_up(auth: Harness, owner: Person, device: SoftAuthenticator) -> None:
    long_ago = auth.client(owner.org, "owner", owner.id, owner.session, authenticated_seconds_ago=601)
    refused = await long_ago.post("/v1/me/passkeys")
    assert (refused.status, refused.json()["type"]) == (401, "/problems/step-up-required")
    assert (await long_ago.post("/v1/step-up/passkey")).status == 409, "they have none"
    await keys.add(owner, device)
    passed = await keys.step_up(long_ago, device)
    assert passed.status == 200, passed.body
    said = claims(passed.json()["access_token"])
    assert (said["sid"], said["acr"]) == (str(owner.session), "aal2")
    event = await auth.spy.expect(UserStepUpPassed, lambda event: event.org == owner.org)
    assert event.data.method == "passkey"


async def test_several_are_told_apart_by_their_names(
    auth: Harness, owner: Person, device: SoftAuthenticator, origin: str
) -> None:
    phone = await keys.add(owner, device, "Phone")
    laptop = SoftAuthenticator(origin, synced=True)
    second = await keys.add(owner, laptop, "Laptop")
    assert (second["recovery_codes"], second["passkey"]["backed_up"]) == ([], True)
    for _ in range(2):
        assert (await keys.sign_in(auth, laptop)).status == 200, "one that counts nothing"
    path = f"/v1/me/passkeys/{phone['passkey']['id']}"
    etag = (await owner.client.get(path)).headers["ETag"]
    renamed = await owner.client.patch(path, json={"name": "Old phone"}, headers={"If-Match": etag})
    assert (renamed.status, renamed.json()["name"]) == (200, "Old phone")
    stale = await owner.client.patch(path, json={"name": "Phone"}, headers={"If-Match": etag})
    assert stale.status == 412
    told = await auth.spy.expect(UserPasskeyRenamed, lambda event: event.org == owner.org)
    assert told.data.changed == {"name": ["Phone", "Old phone"]}
    listed = (await owner.client.get("/v1/me/passkeys")).json()["items"]
    assert [each["name"] for each in listed] == ["Old phone", "Laptop"]
    assert (await owner.client.get("/v1/me/second-factors")).json()["passkeys"] == 2


async def test_a_removed_passkey_is_good_for_nothing(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    phone = await Authenticator.added(auth, owner)
    added = await keys.add(owner, device)
    assert added["recovery_codes"] == [], "those they have stay good"
    path = f"/v1/me/passkeys/{added['passkey']['id']}"
    stranger = await people.owner()
    assert (await stranger.client.get(path)).status == 404
    assert (await stranger.client.delete(path)).status == 404
    assert (await owner.client.delete(path)).status == 204
    told = await auth.spy.expect(UserSecondFactorRemoved, lambda event: event.org == owner.org)
    assert (told.data.method, str(told.data.passkey_id)) == ("passkey", added["passkey"]["id"])
    assert (await keys.sign_in(auth, device)).status == 401
    assert (await owner.client.get("/v1/me/second-factors")).json()["recovery_codes"] == 10
    token = (await people.sign_in(owner.email)).json()["pending_token"]
    body = {"pending_token": token, "recovery_code": phone.recovery_codes[0]}
    assert (await auth.anonymous().post("/v1/sign-in/second-factor", body)).status == 200


async def test_recovery_codes_go_with_the_last_factor(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    added = await keys.add(owner, device)
    await owner.client.delete(f"/v1/me/passkeys/{added['passkey']['id']}")
    assert (await owner.client.get("/v1/me/second-factors")).json()["recovery_codes"] == 0
    assert (await people.sign_in(owner.email)).json()["state"] == "signed_in"


async def test_who_has_to_have_a_second_factor_may_have_a_passkey(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator, origin: str
) -> None:
    member = await people.member(owner, "team_member")
    added = await keys.add(owner, device)
    strong = auth.client(owner.org, "owner", owner.id, owner.session, factors=2)
    demanded = await strong.patch("/v1/organization", {"second_factor_required": True})
    assert demanded.status == 200, demanded.body
    assert (await strong.delete(f"/v1/me/passkeys/{added['passkey']['id']}")).status == 409, "their last"
    assert (await keys.sign_in(auth, device)).status == 200

    half_way = (await people.sign_in(member.email)).json()
    assert (half_way["state"], half_way["methods"]) == ("enrolment", ["totp", "passkey"])
    token, nobody = {"pending_token": half_way["pending_token"]}, auth.anonymous()
    theirs = SoftAuthenticator(origin)
    made = theirs.create(await keys.options(nobody, "/v1/sign-in/enrolment/passkey", token))
    done = await nobody.post("/v1/sign-in/enrolment/passkey/complete", {**token, "credential": made})
    assert done.status == 200, done.body
    assert (claims(done.json()["access_token"])["acr"], len(done.json()["recovery_codes"])) == ("aal2", 10)
    assert (await keys.sign_in(auth, theirs)).status == 200


async def test_who_has_got_a_factor_meanwhile_is_given_no_other(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    """Else whoever knows the password alone could wait half-way, and add one beside their owner's."""
    member = await people.member(owner, "team_member")
    await keys.add(owner, device)
    strong = auth.client(owner.org, "owner", owner.id, owner.session, factors=2)
    await strong.patch("/v1/organization", {"second_factor_required": True})
    thief, nobody = SoftAuthenticator(device.origin), auth.anonymous()
    token = {"pending_token": (await people.sign_in(member.email)).json()["pending_token"]}
    made = thief.create(await keys.options(nobody, "/v1/sign-in/enrolment/passkey", token))
    owners = {"pending_token": (await people.sign_in(member.email)).json()["pending_token"]}
    secret = (await nobody.post("/v1/sign-in/enrolment", owners)).json()["secret"]
    code = {**owners, "code": pyotp.TOTP(secret).now()}
    assert (await nobody.post("/v1/sign-in/enrolment/complete", code)).status == 200
    late = await nobody.post("/v1/sign-in/enrolment/passkey/complete", {**token, "credential": made})
    assert late.status == 409, late.body
    assert (await keys.sign_in(auth, thief)).status == 401


async def test_names_stand_nowhere_in_the_clear(
    auth: Harness, owner: Person, device: SoftAuthenticator
) -> None:
    name = f"Phone of {owner.id.hex}"
    await keys.add(owner, device, name)
    rows = await auth.app.db.fetch("SELECT t::text AS text FROM passkeys AS t")
    assert rows
    assert not [row for row in rows if name in row["text"] or name.encode().hex() in row["text"]]


async def test_they_are_in_what_somebody_is_given_and_go_with_them(
    auth: Harness, people: People, owner: Person, device: SoftAuthenticator
) -> None:
    stranger = await people.owner()
    await keys.add(owner, device, "Ada's phone")
    app, somebody = auth.app, Subject(users=(owner.id,))
    assert privacy.documents is not None
    given = [page async for page in privacy.documents(app, owner.org, somebody)]
    assert [(table, [row["name"] for row in rows]) for table, rows in given] == [
        ("passkeys", ["Ada's phone"])
    ]
    assert [page async for page in privacy.documents(app, stranger.org, somebody)] == [], (
        "of another's people"
    )
    assert [page async for page in privacy.documents(app, owner.org, None)] == [], "no organization's"
    async with app.db.transaction(owner.org) as tx:
        await forget(tx, owner.org, [owner.id])
    assert await app.db.fetchval("SELECT count(*) FROM passkeys WHERE user_id = $1", owner.id) == 0
    assert (await keys.sign_in(auth, device)).status == 401
