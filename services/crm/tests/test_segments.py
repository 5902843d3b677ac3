"""Segments: conditions, live membership, and what is told of it. Real broker, real database."""

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.crm import SegmentEntered, SegmentLeft
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService

Json = dict[str, Any]
VIP: Json = {"field": "tags", "operator": "contains", "value": "vip"}


async def _contact(crm: Harness, org: UUID, **fields: Any) -> str:
    answer = await crm.client(org).post("/v1/contacts", fields)
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def _segment(crm: Harness, org: UUID, condition: Json, name: str = "VIPs") -> str:
    answer = await crm.client(org).post("/v1/segments", {"name": name, "condition": condition})
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def _holds(crm: Harness, org: UUID, segment: str, *wanted: str) -> None:
    async def so() -> bool:
        items = (await crm.client(org).get(f"/v1/segments/{segment}/members")).json()["items"]
        return {each["id"] for each in items} == set(wanted)

    await eventually(so, what=f"the segment holds {wanted}")


async def _filled(crm: Harness, org: UUID, segment: str) -> Json:
    async def so() -> Json | None:
        found: Json = (await crm.client(org).get(f"/v1/segments/{segment}")).json()
        return None if found["filling"] else found

    found = await eventually(so, what="the segment is filled")
    assert found is not None
    return found


def _told(crm: Harness, org: UUID) -> list[tuple[str, str, int]]:
    events: Iterable[Any] = [*crm.spy.of(SegmentEntered, org), *crm.spy.of(SegmentLeft, org)]
    return sorted(
        (type(event.data).__name__, str(event.data.contact_id), event.sequence)
        for event in {event.id: event for event in events}.values()
    )


async def test_contacts_enter_and_leave_as_they_change_each_told_once(crm: Harness, org: UUID) -> None:
    before = await _contact(crm, org, tags=["vip"])
    segment = await _segment(crm, org, VIP)
    await _holds(crm, org, segment, before)
    later = await _contact(crm, org)
    client = crm.client(org)
    for tags in (["vip"], ["vip", "berlin"], []):
        await client.patch(f"/v1/contacts/{later}", {"tags": tags})
        await _holds(crm, org, segment, before, *([later] if tags else []))
    await client.patch(f"/v1/contacts/{later}", {"tags": ["vip"]})
    await _holds(crm, org, segment, before, later)
    assert (await client.delete(f"/v1/contacts/{before}")).status == 204
    await crm.spy.expect(SegmentLeft, lambda event: str(event.data.contact_id) == before)
    await crm.app.relay.drained(5)
    assert _told(crm, org) == sorted(
        [
            ("SegmentEntered", before, 1),
            ("SegmentLeft", before, 2),
            ("SegmentEntered", later, 1),
            ("SegmentLeft", later, 2),
            ("SegmentEntered", later, 3),
        ]
    )
    entered = crm.spy.of(SegmentEntered, org)[0].data
    assert (str(entered.segment_id), entered.segment_name) == (segment, "VIPs")


async def test_two_replicas_tell_each_change_once(
    crm: Harness, start_service: StartService, org: UUID
) -> None:
    async with start_service("crm", instance=crm.instance):
        segment = await _segment(crm, org, VIP)
        made = await asyncio.gather(*(_contact(crm, org, tags=["vip"]) for _ in range(20)))
        await _holds(crm, org, segment, *made)
    await crm.app.relay.drained(5)
    assert _told(crm, org) == sorted(("SegmentEntered", each, 1) for each in made)


async def test_another_condition_lets_some_in_and_some_out(crm: Harness, org: UUID) -> None:
    vip, local = await _contact(crm, org, tags=["vip"]), await _contact(crm, org, language="de")
    segment = await _segment(crm, org, VIP)
    await _holds(crm, org, segment, vip)
    speaks = {"field": "language", "operator": "equals", "value": "DE"}
    answer = await crm.client(org).patch(f"/v1/segments/{segment}", {"condition": speaks})
    assert answer.status == 200
    await _holds(crm, org, segment, local)
    assert (await _filled(crm, org, segment))["members"] == 1
    assert (await crm.client(org).delete(f"/v1/segments/{segment}")).status == 204
    await crm.spy.expect(SegmentLeft, lambda event: event.org == org and str(event.data.contact_id) == local)

    async def gone() -> bool:
        async with crm.app.db.transaction(org) as tx:
            return not await tx.fetchval("SELECT count(*) FROM segments")

    await eventually(gone, what="nothing is left of the segment")


async def _matched(crm: Harness, org: UUID, condition: Json) -> int:
    answer = await crm.client(org).post("/v1/segments/preview", {"condition": condition})
    assert answer.status == 200, (condition, answer.body)
    return int(answer.json()["contacts"])


def _is(field: str, operator: Any, *value: Any) -> Json:
    return {"field": field, "operator": operator, **({"value": value[0]} if value else {})}


OF_ONE: list[Json] = [
    _is("name", "equals", "zoë groß"),
    _is("name", "starts_with", "ZOË"),
    _is("name", "contains", "oë"),
    _is("name", "in", ["ZOË GROß", "x"]),
    _is("email", "is_set"),
    _is("company.domain", "equals", "ink.example"),
    _is("company_id", "is_set"),
    VIP,
    _is("tags", "is_set"),
    _is("custom.size", "at_least", 4),
    _is("custom.size", "in", [4, 5.5]),
    _is("custom.vip", "equals", True),
    _is("custom.seat", "contains", "2a"),
    _is("consent.marketing.email", "equals", "withdrawn"),
    {"not": _is("consent.marketing.email", "is_not_set")},
    {"all": [VIP, {"any": [_is("name", "equals", "x"), _is("source", "equals", "manual")]}]},
    {"not": _is("name", "equals", "Ann")},
]
OF_BOTH: list[Json] = [
    _is("created_at", "after", "2000-01-01T00:00:00Z"),
    _is("phone", "not_equals", "+4930901820"),
    {"not": _is("phone", "equals", "+4930901820")},
    _is("lead.status", "is_not_set"),
]
OF_NONE: list[Json] = [
    _is("name", "contains", "' OR true --"),
    _is("name", "contains", "%"),
    _is("custom.size", "greater", 4),
    _is("created_at", "before", "2000-01-01T00:00:00+02:00"),
    _is("lead.status", "contains", "new"),
]


async def test_every_comparison(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    company = (await client.post("/v1/companies", {"name": "Ink", "domain": "ink.example"})).json()["id"]
    one = await _contact(
        crm,
        org,
        name="Zoë Groß",
        email="z@ink.example",
        tags=["vip"],
        company_id=company,
        custom_fields={"size": 4, "vip": True, "seat": "12A"},
    )
    await _contact(crm, org, name="Ann", custom_fields={"size": "4"})
    said = {"channel": "any", "purpose": "marketing", "state": "withdrawn", "source": "form"}
    assert (await client.post(f"/v1/contacts/{one}/consents", said)).status == 201
    for count, fitting in ((1, [*OF_ONE, _is("company_id", "in", [company])]), (2, OF_BOTH), (0, OF_NONE)):
        for condition in fitting:
            assert await _matched(crm, org, condition) == count, condition
    assert await _matched(crm, new_id(), {"not": _is("name", "equals", "x")}) == 0


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        ({}, "/condition"),
        ({"all": []}, "/condition/all"),
        ({"any": [VIP, {"field": "x", "operator": "equals"}]}, "/condition/any/1/field"),
        ({"not": _is("tags", "equals", "vip")}, "/condition/not/operator"),
        (_is("name", "equals"), "/condition/value"),
        (_is("name", "equals", "\u0000"), "/condition/value"),
        (_is("name", "is_set", "x"), "/condition/value"),
        (_is("name", ["equals"], "x"), "/condition/operator"),
        (_is("owner_id", "equals", "7"), "/condition/value"),
        (_is("created_at", "before", "2026-01-01"), "/condition/value"),
        (_is("custom.size", "less", "4"), "/condition/value"),
        (_is("custom.size", "in", [4, "x"]), "/condition/value"),
        (_is("custom.x'y", "equals", "x"), "/condition/field"),
        (_is("consent.marketing.pigeon", "equals", "granted"), "/condition/field"),
        ({"all": [VIP] * 51}, "/condition/all"),
    ],
)
async def test_what_is_no_condition(crm: Harness, org: UUID, condition: Json, pointer: str) -> None:
    for path, body in (
        ("/v1/segments", {"name": "A", "condition": condition}),
        ("/v1/segments/preview", {"condition": condition}),
    ):
        answer = await crm.client(org).post(path, body)
        assert answer.status == 422
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_another_organizations_segment_is_not_there(crm: Harness, org: UUID) -> None:
    segment = await _segment(crm, org, VIP)
    stranger = crm.client(new_id())
    for method, path in (
        ("GET", ""),
        ("GET", "/members"),
        ("PATCH", ""),
        ("DELETE", ""),
    ):
        answer = await stranger.request(method, f"/v1/segments/{segment}{path}", json={})
        assert answer.status == 404
    assert (await crm.client(org, role="viewer").post("/v1/segments", {})).status == 403
