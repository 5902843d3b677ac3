"""Contacts that other services want assigned and tagged."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.crm import ContactUpdated, ContactUpdateFailed, ContactUpdateRequested
from flotilla.ids import new_id
from flotilla.testing import Harness

Colleague = Callable[..., Awaitable[UUID]]


async def ask(crm: Harness, org: UUID, **fields: Any) -> ContactUpdateRequested:
    wish = ContactUpdateRequested(request_id=new_id(), **fields)
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="rule:1")
    await crm.publish(wish, org=org, cause=cause)
    return wish


async def answer(crm: Harness, wish: ContactUpdateRequested, type_: Any) -> Any:
    return await crm.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


async def test_a_rule_assigns_and_tags_a_contact_and_is_answered_once(
    crm: Harness, org: UUID, colleague: Colleague
) -> None:
    client, anna = crm.client(org), await colleague()
    made = (await client.post("/v1/contacts", {"name": "Zoë", "tags": ["cold"]})).json()
    wish = await ask(
        crm,
        org,
        contact_id=UUID(made["id"]),
        owner_id=anna,
        tags_added=[" vip ", "cold"],
        tags_removed=["cold"],
    )
    told = await answer(crm, wish, ContactUpdated)
    assert (told.data.owner_id, told.data.tags, told.sequence) == (anna, ["vip"], 2)
    shown = (await client.get(f"/v1/contacts/{made['id']}")).json()
    assert (shown["owner_id"], shown["tags"]) == (str(anna), ["vip"])
    await crm.publish(wish, org=org)  # the same wish as another event
    again = await ask(crm, org, contact_id=UUID(made["id"]), tags_added=["vip"])
    same = await answer(crm, again, ContactUpdated)
    assert (same.data.changed, same.sequence) == ({}, 2)
    assert len(crm.spy.of(ContactUpdated, org)) == 2


async def test_what_cannot_be_is_refused(crm: Harness, org: UUID) -> None:
    made = (await crm.client(org).post("/v1/contacts", {"name": "Zoë"})).json()
    contact_id = UUID(made["id"])
    for fields, reason in (
        ({"contact_id": new_id(), "tags_added": ["vip"]}, "unknown_contact"),
        ({"contact_id": contact_id, "owner_id": new_id()}, "unknown_owner"),
        ({"contact_id": contact_id, "tags_added": ["two\nlines"]}, "unfit_tag"),
        ({"contact_id": contact_id, "tags_added": ["a" * 51]}, "unfit_tag"),
        ({"contact_id": contact_id, "tags_added": [str(n) for n in range(51)]}, "too_many_tags"),
    ):
        wish = await ask(crm, org, **fields)
        assert (await answer(crm, wish, ContactUpdateFailed)).data.reason == reason
    assert not crm.spy.of(ContactUpdated, org)
