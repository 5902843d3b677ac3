"""Contacts that may be one person: real database."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing import Harness
from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.duplicates import weigh

NOW = datetime.now(UTC)


async def _make(crm: Harness, org: UUID, **fields: Any) -> str:
    answer = await crm.client(org).post("/v1/contacts", fields)
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def _pairs(crm: Harness, org: UUID, query: str = "") -> dict[frozenset[str], dict[str, Any]]:
    found: dict[frozenset[str], dict[str, Any]] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = (await crm.client(org).get(f"/v1/contacts/duplicates?limit=1{query}{cursor}")).json()
        for each in page["items"]:
            key = frozenset((each["one"]["id"], each["other"]["id"]))
            assert key not in found, "a pair is met once"
            found[key] = each
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    return found


async def test_pairs_are_found_by_address_number_and_name_and_explained(crm: Harness, org: UUID) -> None:
    company = (await crm.client(org).post("/v1/companies", {"name": "Ink"})).json()["id"]
    zoe = await _make(crm, org, name="Zoë Groß", email="zoe@example.com", company_id=company)
    mail = await _make(crm, org, name="Z.", email="Zoe@example.com")
    alike = await _make(crm, org, name="Zoe Gross", company_id=company)
    one, two = [await _make(crm, org, name=name, phone="+49 30 901820") for name in ("Ann", "Bo Li")]
    await _make(crm, org, name="Somebody Else")
    await _make(crm, new_id(), name="Zoë Groß", email="zoe@example.com")
    found = await _pairs(crm, org)
    assert set(found) == {frozenset((zoe, mail)), frozenset((zoe, alike)), frozenset((one, two))}
    by_name = found[frozenset((zoe, alike))]
    assert [each["reason"] for each in by_name["reasons"]] == ["same_name", "same_company"]
    assert 0.7 < by_name["score"] < 0.75
    assert found[frozenset((zoe, mail))]["score"] >= 0.9
    assert set(await _pairs(crm, org, "&min_score=0.8")) == {frozenset((zoe, mail)), frozenset((one, two))}


async def test_whom_one_contact_may_be(crm: Harness, org: UUID) -> None:
    first = await _make(crm, org, name="Olena Kovalenko")
    second = await _make(crm, org, name="Olena Kovalenko", email="o@example.com")
    for contact, other in ((first, second), (second, first)):
        path = f"/v1/contacts/duplicates?contact_id={contact}"
        items = (await crm.client(org).get(path)).json()["items"]
        assert [(each["one"]["id"], each["other"]["id"]) for each in items] == [(contact, other)]
    nobody = await crm.client(org).get(f"/v1/contacts/duplicates?contact_id={new_id()}")
    assert nobody.status == 404
    assert (await crm.client(new_id()).get("/v1/contacts/duplicates")).json()["items"] == []


async def test_the_pairs_of_another_organization_are_refused(crm: Harness, org: UUID) -> None:
    ids = [await _make(crm, org, name="Anna") for _ in range(2)]
    sql = "SELECT count(*) FROM duplicate_pairs($1, $2::uuid[], false)"
    async with crm.app.db.transaction(new_id()) as tx:
        assert await tx.fetchval(sql, org, ids) == 0
    async with crm.app.db.transaction(org) as tx:
        assert await tx.fetchval(sql, org, ids) == 2


def _contact(**fields: Any) -> Contact:
    return Contact(id=new_id(), created_at=NOW, updated_at=NOW, **fields)


def test_what_differs_speaks_against_it() -> None:
    alone = weigh(_contact(name="Ann Lee"), _contact(name="Ann Lee"), 1.0)
    other = weigh(_contact(email="a@example.com"), _contact(email="b@example.com"), 1.0)
    both = weigh(
        _contact(email="a@example.com", phone="+1"), _contact(email="b@example.com", phone="+1"), 1.0
    )
    assert alone.score == 0.6
    assert other.score < 0.5 < both.score < 0.94
    assert [each.reason for each in both.reasons] == ["other_email", "same_phone", "same_name"]
