"""Whose pages may act in a browser for an organization's people: listed by its owner, checked, told."""

import pytest
from flotilla.events.auth import OrganizationUpdated
from flotilla.testing import Harness
from flotilla_auth.domain.origins import MOST_ORIGINS, origin
from flotilla_auth.testing import People, Person


async def test_origins_are_listed_and_told(auth: Harness, owner: Person) -> None:
    assert (await owner.client.get("/v1/organization")).json()["allowed_origins"] == []
    listed = ["https://App.Example.com/", "https://crm.example.com:8443", "https://app.example.com:443"]
    answer = await owner.client.patch("/v1/organization", {"allowed_origins": listed})
    assert answer.status == 200, answer.body
    kept = ["https://app.example.com", "https://crm.example.com:8443"]
    assert answer.json()["allowed_origins"] == kept
    told = await auth.spy.expect(OrganizationUpdated, lambda event: event.org == owner.org)
    assert (told.data.allowed_origins, told.data.changed["allowed_origins"]) == (kept, [[], kept])
    assert (await owner.client.patch("/v1/organization", {"allowed_origins": []})).json()[
        "allowed_origins"
    ] == []


async def test_it_takes_an_owner_who_has_just_shown_who_they_are(
    auth: Harness, people: People, owner: Person
) -> None:
    member = await people.member(owner, "team_member")
    body = {"allowed_origins": ["https://evil.example"]}
    assert (await member.client.patch("/v1/organization", body)).status == 403
    long_ago = auth.client(owner.org, user_id=owner.id, authenticated_seconds_ago=3600)
    answer = await long_ago.patch("/v1/organization", body)
    assert (answer.status, answer.json()["type"]) == (401, "/problems/step-up-required")
    assert (await long_ago.patch("/v1/organization", {"name": "Northwind"})).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        "*",
        "null",
        "",
        "app.example.com",
        "http://app.example.com",
        "https://*.example.com",
        "https://app.example.com/path",
        "https://app.example.com?x",
        "https://app.example.com#x",
        "https://user@app.example.com",
        "https://app.example.com:99999",
        "https://app..example.com",
        "https://app.example.com evil",
        "https://bücher.example",
        "ftp://app.example.com",
        "javascript://app.example.com",
    ],
)
def test_what_is_no_origin(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|must)"):
        origin(wrong)


def test_a_page_of_ones_own_machine_is_one() -> None:
    assert origin("http://localhost:5173") == "http://localhost:5173"
    assert origin("http://127.0.0.1") == "http://127.0.0.1"


async def test_there_are_so_many_at_most(owner: Person) -> None:
    many = [f"https://app-{number}.example.com" for number in range(MOST_ORIGINS + 1)]
    assert (await owner.client.patch("/v1/organization", {"allowed_origins": many})).status == 422
    assert (await owner.client.patch("/v1/organization", {"allowed_origins": ["*"]})).status == 422
