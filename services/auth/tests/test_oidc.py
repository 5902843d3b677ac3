"""Signing in with an account elsewhere, against an issuer that checks what it is sent, and lies where it is told to."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from flotilla.events.auth import UserLoggedIn
from flotilla.events.security import UserIdentityLinked, UserIdentityUnlinked
from flotilla.testing import Harness
from flotilla.testing.harness import Answer
from flotilla.testing.mailbox import Mailbox, token_of
from flotilla.testing.plugin import StartService
from flotilla.testing.simulators.issuer import Account, IssuerSimulator, elliptic
from flotilla_auth.oidc.issuer import ASK_AGAIN_SECONDS, Issuer
from flotilla_auth.oidc.providers import Provider
from flotilla_auth.resources import own
from flotilla_auth.testing import People, Person, fresh_email
from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import ValidationError

from services.auth.tests.authenticators import Authenticator


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[IssuerSimulator]:
    async with IssuerSimulator.running() as running:
        yield running


@pytest.fixture(scope="module")
async def auth(
    start_service: StartService, mailbox: Mailbox, issuer: IssuerSimulator
) -> AsyncIterator[Harness]:
    """One that knows the issuer."""
    mail = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_tls": "none"}
    async with start_service("auth", oidc_providers=[issuer.provider()], **mail) as running:
        yield running


@pytest.fixture(autouse=True)
def honest(issuer: IssuerSimulator) -> None:
    """Each test has an issuer that tells the truth, until it says otherwise."""
    issuer.says, issuer.signs_with, issuer.token, issuer.answers = {}, None, None, 200


async def begin(auth: Harness) -> dict[str, Any]:
    answer = await auth.anonymous().post("/v1/sign-in/oidc", {"provider": "local"})
    assert answer.status == 200, answer.body
    return dict(answer.json())


async def sign_in(auth: Harness, issuer: IssuerSimulator, account: Account) -> Answer:
    begun = await begin(auth)
    code, state = issuer.sign_in(begun["authorization_url"], account)
    body = {"flow_token": begun["flow_token"], "code": code, "state": state}
    return await auth.anonymous().post("/v1/sign-in/oidc/complete", body)


async def link(person: Person, issuer: IssuerSimulator, account: Account) -> Answer:
    begun = (await person.client.post("/v1/me/identities", {"provider": "local"})).json()
    code, state = issuer.sign_in(begun["authorization_url"], account)
    body = {"flow_token": begun["flow_token"], "code": code, "state": state}
    return await person.client.post("/v1/me/identities/complete", body)


async def verified(auth: Harness, mailbox: Mailbox, person: Person) -> None:
    token = token_of(await mailbox.expect(person.email, "/verify-email"))
    assert (await person.client.post("/v1/email-verifications/complete", {"token": token})).status == 204


async def test_a_linked_account_signs_its_owner_in(
    auth: Harness, people: People, mailbox: Mailbox, issuer: IssuerSimulator, owner: Person
) -> None:
    account = Account(f"sub-{owner.id}", fresh_email(), email_verified=False)
    assert (await sign_in(auth, issuer, account)).status == 403
    assert (await link(owner, issuer, account)).status == 204
    linked = await auth.spy.expect(UserIdentityLinked, lambda event: event.org == owner.org)
    assert linked.data.provider == "local"
    await mailbox.expect(owner.email, "/forgot-password")

    done = await sign_in(auth, issuer, account)

    assert done.status == 200, done.body
    assert done.headers["Cache-Control"] == "no-store"
    session = people.person(done)
    assert (session.id, session.org) == (owner.id, owner.org)
    told = await auth.spy.expect(UserLoggedIn, lambda event: event.data.session_id == session.session)
    assert told.data.method == "oidc:local"
    assert (await link(await people.owner(), issuer, account)).status == 409, "it is somebody's"


async def test_an_address_known_on_both_sides_links_by_itself(
    auth: Harness, people: People, mailbox: Mailbox, issuer: IssuerSimulator, newcomer: Person
) -> None:
    owner = newcomer
    account = Account(f"sub-{owner.id}", owner.email.upper())
    assert (await sign_in(auth, issuer, account)).status == 403, "not shown to be theirs here"
    await verified(auth, mailbox, owner)
    for claimed in (False, "false", "true", 1, None):
        lying = Account(f"other-{owner.id}", owner.email, email_verified=claimed)
        assert (await sign_in(auth, issuer, lying)).status == 403, "not shown to be theirs there"
    done = await sign_in(auth, issuer, account)
    assert people.person(done).id == owner.id
    moved = Account(account.subject, fresh_email())
    assert people.person(await sign_in(auth, issuer, moved)).id == owner.id, "by its subject from now on"


async def test_nobody_is_told_which_addresses_exist(
    auth: Harness, issuer: IssuerSimulator, newcomer: Person
) -> None:
    known = await sign_in(auth, issuer, Account("sub-x", newcomer.email))
    unknown = await sign_in(auth, issuer, Account("sub-y", fresh_email()))
    assert (known.status, known.json()["detail"]) == (unknown.status, unknown.json()["detail"])


async def test_a_second_factor_is_asked_for_still(
    auth: Harness, issuer: IssuerSimulator, owner: Person
) -> None:
    account = Account(f"sub-{owner.id}", owner.email)
    assert (await link(owner, issuer, account)).status == 204
    await Authenticator.added(auth, owner)
    assert (await sign_in(auth, issuer, account)).json()["state"] == "second_factor"


async def test_an_unlinked_account_signs_nobody_in(
    auth: Harness, issuer: IssuerSimulator, owner: Person, people: People
) -> None:
    account = Account(f"sub-{owner.id}", fresh_email())
    assert (await link(owner, issuer, account)).status == 204
    [listed] = (await owner.client.get("/v1/me/identities")).json()["items"]
    path = f"/v1/me/identities/{listed['id']}"
    stranger = await people.owner()
    assert (await stranger.client.delete(path)).status == 404
    assert (await stranger.client.get("/v1/me/identities")).json()["items"] == []
    assert (await owner.client.delete(path)).status == 204
    await auth.spy.expect(UserIdentityUnlinked, lambda event: event.org == owner.org)
    assert (await sign_in(auth, issuer, account)).status == 403


async def test_a_sign_in_ends_once_and_where_it_began(
    auth: Harness, issuer: IssuerSimulator, owner: Person
) -> None:
    account = Account(f"sub-{owner.id}", owner.email)
    assert (await link(owner, issuer, account)).status == 204
    mine, others = await begin(auth), await begin(auth)
    code, state = issuer.sign_in(mine["authorization_url"], account)
    complete = "/v1/sign-in/oidc/complete"
    crossed = {"flow_token": others["flow_token"], "code": code, "state": state}
    assert (await auth.anonymous().post(complete, crossed)).status == 401, "login CSRF"
    stolen_state = issuer.sign_in(others["authorization_url"], account)[1]
    stolen = {"flow_token": others["flow_token"], "code": code, "state": stolen_state}
    assert (await auth.anonymous().post(complete, stolen)).status == 401, "PKCE"
    code, state = issuer.sign_in(mine["authorization_url"], account)
    right = {"flow_token": mine["flow_token"], "code": code, "state": state}
    assert (await auth.anonymous().post(complete, right)).status == 200
    assert (await auth.anonymous().post(complete, right)).status == 401, "once"


async def test_what_was_begun_to_link_signs_nobody_in_and_links_nobody_else(
    auth: Harness, people: People, issuer: IssuerSimulator, owner: Person
) -> None:
    account = Account(f"sub-{owner.id}", owner.email)
    stranger = await people.owner()
    for path, client in (
        ("/v1/sign-in/oidc/complete", auth.anonymous()),
        ("/v1/me/identities/complete", stranger.client),
    ):
        begun = (await owner.client.post("/v1/me/identities", {"provider": "local"})).json()
        code, state = issuer.sign_in(begun["authorization_url"], account)
        body = {"flow_token": begun["flow_token"], "code": code, "state": state}
        assert (await client.post(path, body)).status == 409


NOW = int(time.time())


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://accounts.evil.example"},
        {"aud": "another-client"},
        {"aud": ["flotilla-test", "another-client"]},
        {"azp": "another-client"},
        {"exp": NOW - 3600},
        {"iat": NOW + 3600},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"sub": ""},
    ],
    ids=["iss", "aud", "auds", "azp", "expired", "early", "nonce", "no nonce", "no sub"],
)
async def test_a_token_for_somebody_else_is_refused(
    auth: Harness, issuer: IssuerSimulator, owner: Person, lie: dict[str, Any]
) -> None:
    account = Account(f"sub-{owner.id}", owner.email)
    assert (await link(owner, issuer, account)).status == 204
    issuer.says = lie
    assert (await sign_in(auth, issuer, account)).status == 401


async def test_a_signature_by_another_key_or_by_none_is_refused(
    auth: Harness, issuer: IssuerSimulator, owner: Person
) -> None:
    account = Account(f"sub-{owner.id}", owner.email)
    assert (await link(owner, issuer, account)).status == 204
    issuer.signs_with = elliptic()
    assert (await sign_in(auth, issuer, account)).status == 401
    issuer.signs_with = None
    secret = OctKey.import_key(issuer.client_secret)
    claims = {"iss": issuer.address, "sub": account.subject, "aud": issuer.client_id, "exp": NOW + 600}
    issuer.token = jwt.encode({"alg": "HS256"}, claims, secret, algorithms=["HS256"])
    assert (await sign_in(auth, issuer, account)).status == 401, "our own secret signs nothing"
    issuer.token = "eyJhbGciOiJub25lIn0.e30."
    assert (await sign_in(auth, issuer, account)).status == 401
    issuer.token = "nonsense"
    assert (await sign_in(auth, issuer, account)).status == 401


async def test_keys_may_rotate_and_are_not_asked_for_without_end(
    issuer: IssuerSimulator, auth: Harness
) -> None:
    asking = Issuer(Provider(**issuer.provider()), own(auth.app).http)

    async def checked() -> str:
        url = await asking.authorization_url("http://x/cb", "s", "n", "c")
        issuer.sign_in(url.replace("http%3A%2F%2Fx%2Fcb", _quoted(issuer.redirect_uri)), account)
        found = next(reversed(issuer._codes.values()))
        return (await asking.check(issuer._id_token(found), "n")).sub

    account = Account("sub-1", "a@northwind.example")
    await begin_known(auth, issuer)
    assert await checked() == "sub-1"
    before = issuer.keys_asked
    issuer.rotate(elliptic())
    with pytest.raises(Exception, match="could not be checked"):
        await checked()
    assert issuer.keys_asked == before, "asked a moment ago"
    assert asking._keys is not None
    asking._keys = (asking._keys[0] - ASK_AGAIN_SECONDS - 1, asking._keys[1])
    assert await checked() == "sub-1"
    assert issuer.keys_asked == before + 1
    known = own(auth.app).issuers["local"]
    assert isinstance(known, Issuer)
    known._keys = None  # As if an hour had gone by: the other tests' tokens are signed with the new key.


async def begin_known(auth: Harness, issuer: IssuerSimulator) -> None:
    """So that the issuer knows where it sends people back to."""
    issuer.sign_in((await begin(auth))["authorization_url"], Account("x", "x@northwind.example"))


def _quoted(text: str) -> str:
    return text.replace(":", "%3A").replace("/", "%2F")


async def test_an_issuer_that_is_away_is_said_to_be(
    auth: Harness, issuer: IssuerSimulator, owner: Person
) -> None:
    account = Account(f"sub-{owner.id}", owner.email)
    issuer.answers = 500
    assert (await sign_in(auth, issuer, account)).status == 401
    unknown = await auth.anonymous().post("/v1/sign-in/oidc", {"provider": "nobody"})
    assert unknown.status == 404
    listed = (await auth.anonymous().get("/v1/identity-providers")).json()
    assert listed == {"items": [{"name": "local", "title": "local"}]}


def test_providers_are_told_by_settings() -> None:
    secret = {"client_id": "c", "client_secret": "s"}
    assert Provider(name="google", **secret).issuer == "https://accounts.google.com"
    directory = Provider(name="microsoft", tenant="t-1", **secret)
    assert directory.issuer == "https://login.microsoftonline.com/t-1/v2.0"
    for wrong in ({"name": "microsoft"}, {"name": "acme"}, {"name": "acme", "issuer": "http://id.example"}):
        with pytest.raises(ValidationError):
            Provider(**wrong, **secret)
