"""Founding an organization."""

import asyncio

import pytest
from flotilla.events.auth import OrganizationCreated, UserCreated, UserLoggedIn
from flotilla.testing import Harness
from flotilla_auth.testing import PASSWORD, People, claims, fresh_email


async def test_an_organization_and_its_owner_come_to_be_at_once(auth: Harness, people: People) -> None:
    owner = await people.owner(organization="Café Zürich")

    created = await auth.spy.expect(OrganizationCreated, lambda event: event.org == owner.org)
    user = await auth.spy.expect(UserCreated, lambda event: event.org == owner.org)
    session = await auth.spy.expect(UserLoggedIn, lambda event: event.org == owner.org)
    assert (created.data.name, created.data.state) == ("Café Zürich", "trial")
    assert created.data.slug.startswith("cafe-zurich")
    assert (user.data.user_id, user.data.role, user.data.email) == (owner.id, "owner", owner.email)
    assert session.data.session_id == owner.session
    assert {event.envelope.actor for event in (created, user, session)} == {f"user:{owner.id}"}
    assert (user.envelope.audience, session.envelope.audience) == ("org", f"user:{owner.id}")


async def test_an_access_token_says_who_where_and_for_how_long(people: People) -> None:
    owner = await people.owner()

    said = claims(owner.signed_in["access_token"])

    assert said["iss"] == "flotilla"
    assert (said["sub"], said["org"], said["role"]) == (str(owner.id), str(owner.org), "owner")
    assert said["exp"] - said["iat"] == owner.signed_in["expires_in"] == 15 * 60


async def test_two_sign_ups_at_once_with_one_address_make_one_organization(people: People) -> None:
    email = fresh_email()

    answers = await asyncio.gather(*(people.sign_up(email) for _ in range(4)))

    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert email not in refused.body.decode()
    assert (await people.sign_in(email)).status == 200


async def test_an_address_is_one_whatever_its_case(people: People) -> None:
    email = fresh_email()
    await people.owner(email=email)

    assert (await people.sign_up(email.upper())).status == 409
    assert (await people.sign_in(email.title())).status == 200


async def test_organizations_of_one_name_get_addresses_of_their_own(people: People) -> None:
    one, other = await people.owner(organization="Same Name"), await people.owner(organization="Same Name")

    assert one.signed_in["organization"]["slug"] != other.signed_in["organization"]["slug"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password", "short"),
        ("password", "Password2024!"),
        ("email", "no address"),
        ("name", "line\nbreak"),
        ("name", "nul\x00"),
        ("name", "   "),
        ("organization_name", "x" * 121),
        ("time_zone", "Mars/Olympus"),
        ("currency", "euro"),
        ("locale", "1"),
        ("misspelt", "x"),
    ],
)
async def test_what_does_not_fit_is_named(auth: Harness, field: str, value: str) -> None:
    body = {"organization_name": "O", "name": "A", "email": fresh_email(), "password": PASSWORD}

    answer = await auth.anonymous().post("/v1/sign-up", body | {field: value})

    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"name": "\\ud800"}', b"[]", b"null"])
async def test_what_is_no_body_is_refused_with_a_problem(auth: Harness, body: bytes) -> None:
    answer = await auth.anonymous().post("/v1/sign-up", body=body)

    assert answer.status in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_answers_with_tokens_are_not_stored_by_caches(auth: Harness) -> None:
    body = {"organization_name": "O", "name": "A", "email": fresh_email(), "password": PASSWORD}

    answer = await auth.anonymous().post("/v1/sign-up", body, headers={"Idempotency-Key": "k"})

    assert answer.headers["Cache-Control"] == "no-store"
    stored = "SELECT count(*) FROM idempotency_keys WHERE scope LIKE '% /v1/sign-up'"
    assert await auth.app.db.fetchval(stored) == 0
