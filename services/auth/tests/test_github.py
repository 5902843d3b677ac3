"""Signing in with GitHub, against a server that speaks as it does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from flotilla.testing import Harness
from flotilla.testing.harness import Answer
from flotilla.testing.mailbox import Mailbox, token_of
from flotilla.testing.plugin import StartService
from flotilla.testing.simulators.github import GitHubSimulator
from flotilla_auth.oidc.providers import Provider
from flotilla_auth.testing import People, Person, fresh_email

COMPLETE = "/v1/sign-in/oidc/complete"


@pytest.fixture(scope="module")
async def github() -> AsyncIterator[GitHubSimulator]:
    async with GitHubSimulator.running() as running:
        yield running


@pytest.fixture(scope="module")
async def auth(
    start_service: StartService, mailbox: Mailbox, github: GitHubSimulator
) -> AsyncIterator[Harness]:
    """One that knows the server."""
    mail = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_tls": "none"}
    async with start_service("auth", oidc_providers=[github.provider()], **mail) as running:
        yield running


def address(email: str, *, verified: bool = True, primary: bool = True) -> dict[str, Any]:
    return {"email": email, "primary": primary, "verified": verified, "visibility": "private"}


async def sign_in(
    auth: Harness, github: GitHubSimulator, user: int, emails: list[dict[str, Any]], **changed: str
) -> Answer:
    begun = (await auth.anonymous().post("/v1/sign-in/oidc", {"provider": "work-github"})).json()
    code, state = github.sign_in(begun["authorization_url"], user, emails)
    body = {"flow_token": begun["flow_token"], "code": code, "state": state, **changed}
    return await auth.anonymous().post(COMPLETE, body)


async def test_an_address_verified_on_both_sides_signs_its_owner_in(
    auth: Harness, people: People, mailbox: Mailbox, github: GitHubSimulator, newcomer: Person
) -> None:
    owner = newcomer
    user = owner.id.int % 10**9
    mine = address(owner.email)
    assert (await sign_in(auth, github, user, [mine])).status == 403, "not shown to be theirs here"
    token = token_of(await mailbox.expect(owner.email, "/verify-email"))
    assert (await owner.client.post("/v1/email-verifications/complete", {"token": token})).status == 204
    others = [
        [address(owner.email, verified=False)],
        [address(fresh_email()), address(owner.email, primary=False)],
        [],
    ]
    for emails in others:
        assert (await sign_in(auth, github, user, emails)).status == 403

    done = await sign_in(auth, github, user, [mine])

    assert done.status == 200, done.body
    assert people.person(done).id == owner.id
    moved = await sign_in(auth, github, user, [address(fresh_email())])
    assert people.person(moved).id == owner.id, "by its id from now on"


async def test_a_code_of_another_sign_in_is_refused(auth: Harness, github: GitHubSimulator) -> None:
    begun = (await auth.anonymous().post("/v1/sign-in/oidc", {"provider": "work-github"})).json()
    stolen, _ = github.sign_in(begun["authorization_url"], 1, [])
    assert (await sign_in(auth, github, 2, [], code=stolen)).status == 401, "PKCE"
    assert (await sign_in(auth, github, 2, [], code="unknown")).status == 401


def test_the_name_is_enough() -> None:
    found = Provider(name="github", client_id="c", client_secret="s")
    assert (found.kind, found.issuer) == ("github", "https://github.com")
