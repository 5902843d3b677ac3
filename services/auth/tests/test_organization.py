"""The organization itself, and the walls between organizations."""

from typing import Any

import pytest
from flotilla.events.auth import OrganizationUpdated
from flotilla.testing import Harness
from flotilla_auth.api.organization import MOST_SLUGS
from flotilla_auth.testing import People, Person, fresh_email

NO_DOMAINS = (
    *("", ".", "kite", "localhost", "k.e", "kite.1", "192.0.2.1", "1.2.3.0x4", "[2001:db8::1]"),
    *("https://kite.example", "kite.example/a", "kite.example:80", "a@kite.example"),
    *("kite..example", "kite.com\u2025", "-kite.example", "ki_te.example", "kite .example", "xn--a.example"),
    "x" * 64 + ".example",
)


async def test_settings_change_and_are_told(auth: Harness, owner: Person) -> None:
    change = {"name": "Northwind Roasters", "time_zone": "Europe/Berlin", "currency": "CHF"}

    answer = await owner.client.patch("/v1/organization", change, headers={"If-Match": '"1"'})

    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    event = await auth.spy.expect(OrganizationUpdated, lambda event: event.org == owner.org)
    assert event.data.changed["currency"] == ["EUR", "CHF"]
    assert (event.data.time_zone, event.sequence) == ("Europe/Berlin", 2)
    assert (await owner.client.get("/v1/organization")).json()["name"] == "Northwind Roasters"


async def test_a_slug_changes_and_the_one_before_is_nobody_elses(
    auth: Harness, people: People, owner: Person
) -> None:
    first, wanted = owner.signed_in["organization"]["slug"], f"roasters-{owner.org.hex[-12:]}"
    stale = auth.client(owner.org, "owner", owner.id, owner.session, authenticated_seconds_ago=601)
    assert (
        (await stale.patch("/v1/organization", {"slug": wanted})).json()["type"].endswith("/step-up-required")
    )
    changed = await owner.client.patch("/v1/organization", {"slug": wanted})
    assert changed.json()["slug"] == wanted
    told = await auth.spy.expect(OrganizationUpdated, lambda event: event.org == owner.org)
    assert told.data.changed == {"slug": [first, wanted]}
    other = await people.owner()
    for taken in (first, wanted):
        assert (await other.client.patch("/v1/organization", {"slug": taken})).status == 409
    assert (await owner.client.patch("/v1/organization", {"slug": first})).status == 200, "it was theirs"
    for bad in ("A", "a b", "-a", "a--b", "", "x" * 49):
        assert (await owner.client.patch("/v1/organization", {"slug": bad})).status == 422
    for number in range(MOST_SLUGS - 2):
        body = {"slug": f"{wanted}-{number}"}
        assert (await owner.client.patch("/v1/organization", body)).status == 200
    assert (await owner.client.patch("/v1/organization", {"slug": f"{wanted}-z"})).status == 409
    assert (await owner.client.patch("/v1/organization", {"slug": wanted})).status == 200


async def test_a_domain_is_what_the_owner_states(auth: Harness, people: People, owner: Person) -> None:
    other = await people.owner()
    for said, kept in (
        ("Kite.Example.", "kite.example"),
        ("shop.kite.example", "shop.kite.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ):
        for person in (owner, other):
            answer = await person.client.patch("/v1/organization", {"domain": said})
            assert (answer.status, answer.json()["domain"]) == (200, kept), "two may state the same"
    told = await auth.spy.expect(OrganizationUpdated, lambda event: event.org == owner.org)
    assert (told.data.domain, told.data.changed) == ("kite.example", {"domain": [None, "kite.example"]})
    for bad in NO_DOMAINS:
        refused = await owner.client.patch("/v1/organization", {"domain": bad})
        assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/domain"), bad
    shared = (await owner.client.patch("/v1/organization", {"domain": "CO.UK."})).json()["errors"][0]
    assert (shared["pointer"], "under which others register" in shared["detail"]) == ("/domain", True)
    assert (await owner.client.patch("/v1/organization", {"name": "Kite"})).json()["domain"] is not None
    assert (await owner.client.patch("/v1/organization", {"domain": None})).json()["domain"] is None
    assert (await owner.client.patch("/v1/organization", {"name": None})).json()["name"] == "Kite"


async def test_members_read_and_do_not_write(people: People, owner: Person) -> None:
    member = await people.member(owner, "team_member")

    assert (await member.client.get("/v1/organization")).status == 200
    assert (await member.client.patch("/v1/organization", {"name": "Mine"})).status == 403


async def test_nothing_of_another_organization_is_seen_or_touched(people: People, owner: Person) -> None:
    member = await people.member(owner, "viewer")
    invited = await owner.client.post("/v1/invitations", {"email": fresh_email()})
    stranger = await people.owner()

    paths = [f"/v1/users/{member.id}", f"/v1/users/{owner.id}", f"/v1/invitations/{invited.json()['id']}"]
    for path in paths:
        assert (await owner.client.get(path)).status == 200
        assert (await stranger.client.get(path)).status == 404
    changes: list[tuple[str, str, Any]] = [
        ("PATCH", f"/v1/users/{member.id}", {"role": "admin"}),
        ("DELETE", f"/v1/invitations/{invited.json()['id']}", None),
        ("DELETE", f"/v1/sessions/{member.session}", None),
    ]
    for method, path, body in changes:
        assert (await stranger.client.request(method, path, json=body)).status == 404
    assert [user["id"] for user in (await stranger.client.get("/v1/users")).json()["items"]] == [
        str(stranger.id)
    ]
    assert (await stranger.client.get("/v1/invitations")).json()["items"] == []


@pytest.mark.parametrize("table", ["organizations", "users", "sessions", "invitations"])
async def test_the_database_shows_rows_to_their_organization_only(
    auth: Harness, people: People, owner: Person, table: str
) -> None:
    await owner.client.post("/v1/invitations", {"email": fresh_email()})
    stranger = await people.owner()
    count = f"SELECT count(*) FROM {table}"

    async with auth.app.db.transaction(owner.org) as tx:
        assert await tx.fetchval(count) > 0
    async with auth.app.db.transaction(stranger.org) as tx:
        assert await tx.fetchval(f"{count} WHERE organization_id = $1", owner.org) == 0
    assert await auth.app.db.fetchval(count) == 0


async def test_without_a_principal_nothing_is_answered(auth: Harness) -> None:
    for path in ("/v1/me", "/v1/users", "/v1/sessions", "/v1/organization", "/v1/roles", "/v1/invitations"):
        answer = await auth.anonymous().get(path)
        assert (answer.status, answer.json()["type"]) == (401, "/problems/unauthorized")
