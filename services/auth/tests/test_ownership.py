"""Accounts that somebody made with an address that is not theirs, waiting for its owner."""

import pytest
from flotilla.events.auth import ApiKeyRevoked, InvitationRevoked, SessionEnded
from flotilla.events.security import (
    OAuthClientRevoked,
    UserEmailVerified,
    UserIdentityUnlinked,
    UserSecondFactorRemoved,
)
from flotilla.testing import Harness
from flotilla.testing.mailbox import Mailbox, token_of
from flotilla_auth.testing import PASSWORD, People, Person, fresh_email

from services.auth.tests import keys
from services.auth.tests.authenticators import Authenticator
from services.auth.tests.soft_authenticator import SoftAuthenticator
from services.auth.tests.test_email import VERIFY, complete, reset_token

OTHER = "nine herons wait at the weir"
COMPLETE = "/v1/email-verifications/complete"
WAYS_IN = [
    ("/v1/me/totp", None),
    ("/v1/me/totp/confirm", {"code": "000000"}),
    ("/v1/me/passkeys", None),
    ("/v1/me/identities", {"provider": "google"}),
]


async def unverified(auth: Harness, person: Person) -> None:
    """As accounts are that were made where no mail could be sent, or before anything was asked of them."""
    await auth.app.db.execute("UPDATE credentials SET email_verified_at = NULL WHERE user_id = $1", person.id)


async def prepared(auth: Harness, person: Person, device: SoftAuthenticator) -> None:
    """Every way back in that there is: factors, an account elsewhere, programs, an invitation."""
    await Authenticator.added(auth, person)
    await keys.add(person, device)
    await auth.app.db.execute(
        "INSERT INTO identities (id, user_id, provider, issuer, subject_hash)"
        " VALUES ($1, $1, 'google', 'https://issuer.example', $2)",
        person.id,
        person.id.bytes,
    )
    program = {"name": "ERP", "scopes": ["contacts:read"]}
    for path in ("/v1/api-keys", "/v1/oauth-clients"):
        assert (await person.client.post(path, program)).status == 201
    invited = await person.client.post("/v1/invitations", {"email": fresh_email(), "role": "viewer"})
    assert invited.status == 201


@pytest.mark.parametrize(("path", "body"), WAYS_IN)
async def test_no_way_in_is_added_before_the_address_is_known(
    newcomer: Person, path: str, body: object
) -> None:
    refused = await newcomer.client.post(path, body)
    assert (refused.status, refused.json()["type"]) == (403, "/problems/email-unverified")
    assert "open the link" in refused.json()["detail"]


async def test_an_address_is_shown_in_a_session_of_the_account_alone(
    auth: Harness, people: People, mailbox: Mailbox, newcomer: Person
) -> None:
    token = token_of(await mailbox.expect(newcomer.email, VERIFY))
    body = {"token": token}
    assert (await auth.anonymous().post(COMPLETE, body)).status == 401, "somebody who only reads mail"
    assert (await (await people.owner()).client.post(COMPLETE, body)).status == 409
    assert (await newcomer.client.post(COMPLETE, body)).status == 204, "it is still good"
    assert (await newcomer.client.post("/v1/me/totp")).status == 201


async def test_who_takes_their_address_back_finds_nobody_else_in(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person, origin: str
) -> None:
    device = SoftAuthenticator(origin)
    await prepared(auth, owner, device)
    half_way = (await people.sign_in(owner.email)).json()
    await unverified(auth, owner)

    assert await complete(auth, await reset_token(auth, mailbox, owner.email), OTHER) == 204

    await auth.spy.expect(UserEmailVerified, lambda event: event.org == owner.org)
    await auth.spy.expect(UserIdentityUnlinked, lambda event: event.org == owner.org)
    for kind in (ApiKeyRevoked, OAuthClientRevoked, InvitationRevoked):
        await auth.spy.expect(kind, lambda event: event.org == owner.org)
    removed = {event.data.method for event in auth.spy.of(UserSecondFactorRemoved, owner.org)}
    assert removed == {"totp", "passkey"}
    assert (await people.refresh(owner.refresh_token)).status == 401
    assert (await keys.sign_in(auth, device)).status == 401
    spent = {"pending_token": half_way["pending_token"], "recovery_code": "x"}
    assert (await auth.anonymous().post("/v1/sign-in/second-factor", spent)).status == 401
    back = await people.sign_in(owner.email, OTHER)
    assert (back.status, back.json()["state"]) == (200, "signed_in")
    mine = people.person(back)
    assert (await mine.client.get("/v1/me/identities")).json()["items"] == []
    second = (await mine.client.get("/v1/me/second-factors")).json()
    assert (second["totp"], second["passkeys"], second["recovery_codes"]) == (False, 0, 0)
    assert (await mine.client.get("/v1/me")).json()["email_verified"] is True
    again = await mine.client.post("/v1/me/totp")
    assert again.status == 201, "and adds what is theirs"


async def test_who_comes_by_a_mailed_invitation_finds_nobody_else_in(
    auth: Harness, people: People, owner: Person, origin: str
) -> None:
    device = SoftAuthenticator(origin)
    await prepared(auth, owner, device)
    await unverified(auth, owner)
    bank = await people.owner(organization="Bank")

    joined = people.person(await people.accept(await people.invite(bank, owner.email), PASSWORD))

    assert (joined.org, joined.signed_in["state"]) == (bank.org, "signed_in")
    ended = await auth.spy.expect(SessionEnded, lambda event: event.data.session_id == owner.session)
    assert ended.data.reason == "revoked"
    assert (await keys.sign_in(auth, device)).status == 401
    assert (await people.refresh(joined.refresh_token)).status == 200
    assert (await joined.client.get("/v1/me/identities")).json()["items"] == []


async def test_a_reset_of_who_was_known_takes_nothing(
    auth: Harness, people: People, mailbox: Mailbox, owner: Person, origin: str
) -> None:
    device = SoftAuthenticator(origin)
    await prepared(auth, owner, device)
    assert await complete(auth, await reset_token(auth, mailbox, owner.email), OTHER) == 204
    assert (await people.sign_in(owner.email, OTHER)).json()["state"] == "second_factor"
    assert (await keys.sign_in(auth, device)).status == 200


async def test_an_ended_session_adds_nothing_behind_its_end(owner: Person) -> None:
    assert (await owner.client.post("/v1/sign-out")).status == 204
    for path, body in WAYS_IN:
        assert (await owner.client.post(path, body)).status == 401
