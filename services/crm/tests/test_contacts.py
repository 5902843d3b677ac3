"""Contacts and companies over HTTP."""

from typing import Any
from uuid import UUID

import pytest
from flotilla.events.crm import CompanyCreated, ContactCreated, ContactUpdated
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.crm.tests.conftest import Colleague


async def _make(crm: Harness, org: UUID, **fields: Any) -> dict[str, Any]:
    answer = await crm.client(org).post("/v1/contacts", fields)
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json()
    return made


async def test_a_contact_is_made_in_normal_form_and_told_of(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    owner = await colleague()
    answer = await crm.client(org).post(
        "/v1/contacts",
        {
            "name": "  Zoe\u0308   Groß ",
            "email": "Zoe@Example.COM",
            "phone": "+49 (0) 30 901820",
            "language": "DE",
            "owner_id": str(owner),
            "tags": ["vip", "berlin", "vip"],
            "custom_fields": {"size": 4, "vip": True, "seat": "12A"},
        },
    )
    assert answer.status == 201
    made = answer.json()
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"/v1/contacts/{made['id']}"
    assert (made["name"], made["email"], made["phone"]) == ("Zoë Groß", "zoe@example.com", "+4930901820")
    assert (made["language"], made["tags"], made["source"]) == ("de", ["berlin", "vip"], "manual")
    assert made["custom_fields"] == {"size": 4, "vip": True, "seat": "12A"}
    event = await crm.spy.expect(ContactCreated, lambda event: event.org == org)
    assert (str(event.data.contact_id), event.data.owner_id) == (made["id"], owner)
    assert event.envelope.audience == "org"
    timeline = (await crm.client(org).get(f"/v1/contacts/{made['id']}/timeline")).json()["items"]
    assert [entry["kind"] for entry in timeline] == ["contact.created"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"phone": "030 901820"}, "/phone"),
        ({"email": "zoe"}, "/email"),
        ({"name": "\u0000"}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"tags": ["a\nb"]}, "/tags/0"),
        ({"owner_id": "7"}, "/owner_id"),
        ({"owner_id": str(new_id())}, "/owner_id"),
        ({"company_id": str(new_id())}, "/company_id"),
        ({"custom_fields": {"Not a name": 1}}, "/custom_fields/Not a name"),
        ({"custom_fields": {"note": "\u0000"}}, "/custom_fields"),
        ({"custom_fields": {"deep": {"er": 1}}}, "/custom_fields/deep"),
        ({"colour": "blue"}, "/colour"),
    ],
)
async def test_what_does_not_fit_is_pointed_at_and_nothing_is_kept(
    crm: Harness, org: UUID, body: dict[str, Any], pointer: str
) -> None:
    client = crm.client(org)
    answer = await client.post("/v1/contacts", {"name": "Zoë", **body})
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert any(error["pointer"].startswith(pointer) for error in answer.json()["errors"]), answer.body
    assert (await client.get("/v1/contacts")).json()["items"] == []


async def test_a_change_counts_up_and_says_what_is_different(crm: Harness, org: UUID) -> None:
    made = await _make(crm, org, name="Zoë", tags=["vip"], custom_fields={"size": 4, "seat": "12A"})
    client, path = crm.client(org), f"/v1/contacts/{made['id']}"
    patch = {"name": "Zoë Groß", "tags": ["berlin"], "custom_fields": {"size": None}}
    changed = await client.patch(path, patch, headers={"If-Match": '"1"'})
    assert changed.status == 200
    assert changed.headers["ETag"] == '"2"'
    assert changed.json()["custom_fields"] == {"seat": "12A"}
    event = await crm.spy.expect(ContactUpdated, lambda event: event.org == org)
    assert event.sequence == 2
    assert event.data.changed == {
        "name": ["Zoë", "Zoë Groß"],
        "tags": [["vip"], ["berlin"]],
        "custom_fields": [["size"], []],
    }
    stale = await client.patch(path, {"name": "Zoé"}, headers={"If-Match": '"1"'})
    assert (stale.status, stale.headers["ETag"]) == (412, '"2"')
    same = await client.patch(path, {"name": "Zoë Groß"})
    assert same.headers["ETag"] == '"2"'
    assert (await client.patch(path, {"name": None})).json()["name"] is None
    by_tag = (await client.get("/v1/contacts?tag=berlin")).json()["items"]
    assert [contact["id"] for contact in by_tag] == [made["id"]]
    assert (await client.get("/v1/contacts?tag=vip")).json()["items"] == []


async def test_lists_are_filtered_and_paged(crm: Harness, org: UUID, colleague: Colleague) -> None:
    client, owner = crm.client(org), await colleague()
    company = (await client.post("/v1/companies", {"name": "Ink"})).json()["id"]
    made = []
    for number in range(7):
        fields: dict[str, Any] = {"name": f"Person {number}"}
        if number % 2:
            fields |= {"owner_id": str(owner), "company_id": company, "tags": ["odd"]}
        made.append((await _make(crm, org, **fields))["id"])
    for query in (f"owner_id={owner}", f"company_id={company}", "tag=odd", f"tag=odd&owner_id={owner}"):
        seen, cursor = [], ""
        while True:
            answer = (await client.get(f"/v1/contacts?limit=2&{query}{cursor}")).json()
            seen += [contact["id"] for contact in answer["items"]]
            if answer["next_cursor"] is None:
                break
            cursor = f"&cursor={answer['next_cursor']}"
        assert seen == [made[5], made[3], made[1]], query
    assert len((await client.get("/v1/contacts")).json()["items"]) == 7


async def test_search_by_beginnings_and_typing_errors(crm: Harness, org: UUID) -> None:
    names = ["Anna Müller", "Annabel Lee", "Hannah Arendt", "Mueller Anne", "Иван Петров", "100% Cotton"]
    for name in names:
        await _make(crm, org, name=name)

    async def found(q: str) -> list[str]:
        answer = await crm.client(org).get(f"/v1/contacts?q={q}")
        assert answer.status == 200, answer.body
        return [contact["name"] for contact in answer.json()["items"]]

    assert set(await found("ann")) >= {"Anna Müller", "Annabel Lee", "Mueller Anne"}
    assert (await found("ann"))[2] == "Mueller Anne", "names that begin with it come first"
    assert (await found("MULLER"))[0] == "Anna Müller"
    assert (await found("arent"))[0] == "Hannah Arendt"
    assert await found("петр") == ["Иван Петров"]
    assert await found("100%25") == ["100% Cotton"]
    assert await found("%25") == []
    assert await found("xyz") == []


@pytest.mark.parametrize("q", ["anna", "annna"])
async def test_search_pages_hold_everything_once(crm: Harness, org: UUID, q: str) -> None:
    made = {
        (await _make(crm, org, name=name))["id"]
        for name in ("Anna", "Anna B", "Annabel", "Dr Anna", "Anna C")
    }
    seen: list[str] = []
    cursor = ""
    while True:
        answer = (await crm.client(org).get(f"/v1/contacts?q={q}&limit=2{cursor}")).json()
        seen += [contact["id"] for contact in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert len(seen) == len(set(seen))
    assert set(seen) == made


async def test_the_search_refuses_another_organization(crm: Harness, org: UUID) -> None:
    await _make(crm, org, name="Anna")
    other = new_id()
    sql = "SELECT count(*) FROM search_contacts($1, 'anna', 'anna', NULL, NULL, NULL, -1, $2, 10)"
    async with crm.app.db.transaction(other) as tx:
        assert await tx.fetchval(sql, org, UUID(int=0)) == 0
    async with crm.app.db.transaction(org) as tx:
        assert await tx.fetchval(sql, org, UUID(int=0)) == 1


async def test_a_list_takes_no_cursor_of_another(crm: Harness, org: UUID) -> None:
    for _ in range(3):
        await _make(crm, org, name="Anna")
    client = crm.client(org)
    cursor = (await client.get("/v1/contacts?q=anna&limit=1")).json()["next_cursor"]
    assert (await client.get(f"/v1/contacts?cursor={cursor}")).status == 422
    assert (await client.get("/v1/contacts?cursor=%00")).status == 422


async def test_another_organizations_things_are_not_there(crm: Harness, org: UUID) -> None:
    contact = await _make(crm, org, name="Zoë")
    company = (await crm.client(org).post("/v1/companies", {"name": "Ink"})).json()
    stranger = crm.client(new_id())
    for path in (
        f"/v1/contacts/{contact['id']}",
        f"/v1/contacts/{contact['id']}/timeline",
        f"/v1/companies/{company['id']}",
        f"/v1/companies/{company['id']}/timeline",
    ):
        assert (await crm.client(org).get(path)).status == 200
        assert (await stranger.get(path)).status == 404
    assert (await stranger.patch(f"/v1/contacts/{contact['id']}", {"name": "Mine"})).status == 404
    answer = await stranger.post("/v1/notes", {"text": "Hello", "contact_id": contact["id"]})
    assert answer.status == 422


async def test_roles(crm: Harness, org: UUID) -> None:
    contact = await _make(crm, org, name="Zoë")
    viewer, customer = crm.client(org, role="viewer"), crm.client(org, role="client")
    assert (await viewer.get(f"/v1/contacts/{contact['id']}")).status == 200
    assert (await viewer.patch(f"/v1/contacts/{contact['id']}", {"name": "Zoé"})).status == 403
    assert (await customer.get(f"/v1/contacts/{contact['id']}")).status == 403
    assert (await crm.anonymous().get("/v1/contacts")).status == 401


async def test_a_client_or_somebody_who_left_cannot_own(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    for role, status in (("client", 422), ("viewer", 422), ("team_owner", 201)):
        answer = await crm.client(org).post("/v1/contacts", {"owner_id": str(await colleague(role))})
        assert answer.status == status


async def test_companies_have_one_domain_each(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    made = await client.post("/v1/companies", {"name": "Ink", "domain": "Ink.Example."})
    assert (made.status, made.json()["domain"]) == (201, "ink.example")
    await crm.spy.expect(CompanyCreated, lambda event: event.org == org)
    again = await client.post("/v1/companies", {"name": "Ink 2", "domain": "ink.example"})
    assert again.status == 409
    assert again.json()["errors"][0]["pointer"] == "/domain"
    elsewhere = await crm.client(new_id()).post("/v1/companies", {"name": "Ink", "domain": "ink.example"})
    assert elsewhere.status == 201
    path = f"/v1/companies/{made.json()['id']}"
    assert (await client.patch(path, {"domain": "ink.example", "name": "Ink & Co"})).status == 200
    assert (await client.patch(path, {"name": None})).status == 422
    found = (await client.get("/v1/companies?domain=INK.example")).json()["items"]
    assert [company["name"] for company in found] == ["Ink & Co"]


async def test_an_idempotency_key_makes_one_contact(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    headers = {"Idempotency-Key": "once"}
    first = await client.post("/v1/contacts", {"name": "Zoë"}, headers=headers)
    again = await client.post("/v1/contacts", {"name": "Zoë"}, headers=headers)
    assert first.json() == again.json()
    assert len((await client.get("/v1/contacts")).json()["items"]) == 1


async def test_companies_by_name_page_by_page(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    for name in ("Cedar", "Ash", "Birch", "Ash"):
        assert (await client.post("/v1/companies", {"name": name})).status == 201

    async def names(sort: str) -> list[str]:
        found, path = [], f"/v1/companies?limit=2&sort={sort}"
        page = (await client.get(path)).json()
        while True:
            found += [each["name"] for each in page["items"]]
            if page["next_cursor"] is None:
                return found
            page = (await client.get(f"{path}&cursor={page['next_cursor']}")).json()

    assert await names("name") == ["Ash", "Ash", "Birch", "Cedar"]
    assert await names("-name") == ["Cedar", "Birch", "Ash", "Ash"]
    assert await names("-created_at") == ["Ash", "Birch", "Ash", "Cedar"]
    newest = (await client.get("/v1/companies?limit=2")).json()["next_cursor"]
    assert (await client.get(f"/v1/companies?sort=name&cursor={newest}")).status == 422
    assert (await client.get("/v1/companies?sort=tags")).status == 422
