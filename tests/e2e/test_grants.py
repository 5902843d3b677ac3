"""One organization lets another read: what it names, for as long as it likes, and all of it stands in its audit."""

import asyncio
from typing import Any

from flotilla.testing import eventually
from flotilla.testing.people import Person

from tests.e2e.conftest import AT_ONCE, NewOffice

GIVEN = "/v1/organization/grants"
RECEIVED = "/v1/organization/received-grants"
Json = dict[str, Any]


async def test_a_guest_reads_what_is_granted_and_is_out_at_once(new_office: NewOffice) -> None:
    ours, theirs = [(await new_office(name)).owner for name in ("Harbour", "Kite")]
    await ours.ok("POST", "/v1/companies", {"name": "Iryna & Sons"})
    made = await ours.ok("POST", "/v1/contacts", {"name": "Iryna"})
    await theirs.ok("POST", "/v1/contacts", {"name": "Olena"})
    grant = await _grant(ours, theirs, "contacts:read", "analytics:read")
    guest = await _guest(theirs, grant)

    assert [each["name"] for each in (await guest.ok("GET", "/v1/contacts"))["items"]] == ["Iryna"]
    assert (await guest.ok("GET", f"/v1/contacts/{made['id']}"))["name"] == "Iryna"
    assert [each["name"] for each in (await theirs.ok("GET", "/v1/contacts"))["items"]] == ["Olena"]
    for method, path in (
        ("GET", "/v1/deals"),
        ("GET", "/v1/me"),
        ("GET", "/v1/users"),
        ("GET", "/v1/search?q=Iryna"),
        ("GET", "/v1/organization"),
        ("GET", RECEIVED),
        ("POST", "/v1/contacts"),
        ("DELETE", f"/v1/contacts/{made['id']}"),
        ("GET", "/v1/live/events"),
    ):
        answer = await guest.call(method, path, {"name": "Mine"} if method == "POST" else None)
        assert answer.status == 403, (method, path, answer.status)

    async def audited() -> bool:
        events = (await ours.ok("GET", "/v1/archive/events?type=organization.data.read.v1"))["items"]
        paths = [event["data"]["path"] for event in events]
        return "/v1/contacts" in paths and f"/v1/contacts/{made['id']}" in paths

    await eventually(audited, seconds=20, what="each read stands in the grantor's audit")
    finding = await _guest(theirs, await _grant(ours, theirs, "contacts:read", "search:read"))

    async def found() -> bool:
        items = (await finding.ok("GET", "/v1/search?q=Iryna"))["items"]
        assert {each["kind"] for each in items} <= {"contact"}, "companies were not granted"
        return bool(items)

    await eventually(found, seconds=30, what="what was granted is found")
    await ours.ok("DELETE", f"{GIVEN}/{grant['id']}")
    await _out(guest)
    assert (await theirs.call("GET", "/v1/contacts")).status == 200, "at home nothing has changed"
    assert (await theirs.call("POST", f"{RECEIVED}/{grant['id']}/token")).status == 409


async def test_numbers_of_granted_organizations_stand_side_by_side(new_office: NewOffice) -> None:
    ours, theirs, stranger = [await new_office(name) for name in ("Harbour", "Kite", "Stranger")]
    for office in (ours, theirs, stranger):
        await office.customer_writes("Good morning", chat=61)
    grant = await _grant(ours.owner, theirs.owner, "analytics:read")
    days = "metric=message_volume&from=2026-01-01&to=2027-01-01"
    ids = [(await each.owner.ok("GET", "/v1/organization"))["id"] for each in (ours, theirs)]

    async def both() -> bool:
        shown = await theirs.owner.ok("GET", f"/v1/analytics/organizations?{days}")
        counts = {each["organization_id"]: each["numbers"]["count"] for each in shown["organizations"]}
        assert set(counts) == set(ids)
        return all(counts.values())

    await eventually(both, seconds=30, what="both organizations' numbers")
    guest = await _guest(theirs.owner, grant)
    assert (await guest.call("GET", f"/v1/analytics/organizations?{days}")).status == 403
    own = await ours.owner.ok("GET", f"/v1/analytics/organizations?{days}")
    assert [each["organization_id"] for each in own["organizations"]] == ids[:1], "a grant goes one way"

    await ours.owner.ok("DELETE", f"{GIVEN}/{grant['id']}")

    async def alone() -> bool:
        shown = await theirs.owner.ok("GET", f"/v1/analytics/organizations?{days}")
        return [each["organization_id"] for each in shown["organizations"]] == ids[1:]

    await eventually(alone, what="the other's are gone")


async def test_a_parent_enters_its_child_until_the_child_ends_it(new_office: NewOffice) -> None:
    parent = (await new_office("Holding")).owner
    child = (await new_office("Daughter")).owner
    slug = (await parent.ok("GET", "/v1/organization"))["slug"]
    offered = await child.ok("POST", GIVEN, {"organization_slug": slug, "kind": "administration"})
    path = f"{RECEIVED}/{offered['id']}"
    refused = await parent.call("POST", f"{path}/accept")
    assert (refused.status, refused.json()["feature"]) == (403, "child_organizations"), refused.body
    await parent.ok("PUT", "/v1/subscription", {"plan": "enterprise"})

    async def accepted() -> bool:
        return (await parent.call("POST", f"{path}/accept")).status == 200

    await eventually(accepted, what="the plan is known, and the child taken over")
    inside = parent.signed_in(await parent.ok("POST", f"{path}/sessions"))
    await inside.ok("POST", "/v1/contacts", {"name": "Made by the parent"})
    assert len((await child.ok("GET", "/v1/contacts"))["items"]) == 1
    assert (await parent.ok("GET", "/v1/contacts"))["items"] == []

    await child.ok("DELETE", f"{GIVEN}/{offered['id']}")
    await _out(inside)


async def _grant(grantor: Person, grantee: Person, *permissions: str) -> Json:
    slug = (await grantee.ok("GET", "/v1/organization"))["slug"]
    made: Json = await grantor.ok(
        "POST", GIVEN, {"organization_slug": slug, "permissions": list(permissions)}
    )
    return made


async def _guest(grantee: Person, grant: Json) -> Person:
    token = await grantee.ok("POST", f"{RECEIVED}/{grant['id']}/token")
    return Person(grantee.base_url, grantee.session, {"Authorization": f"Bearer {token['access_token']}"})


async def _out(person: Person) -> None:
    """Refused at once: asked again and again until then."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def refused() -> float:
        assert (await person.call("GET", "/v1/contacts")).status == 401
        return loop.time() - began

    took = await eventually(refused, seconds=10, what="the token is refused")
    assert took < AT_ONCE, f"took {took:.2f} s"
