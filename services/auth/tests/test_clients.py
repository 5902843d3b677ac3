"""Clients: people outside who are linked to a contact of the organization, as long as that is who they are."""

from typing import Any
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.auth import ClientLinked, ClientUnlinked
from flotilla.events.base import Event
from flotilla.events.crm import ContactDeleted, ContactMerged, ContactUnmerged
from flotilla.ids import new_id
from flotilla.testing import Harness
from flotilla_auth.testing import People, Person, fresh_email

INVITATIONS = "/v1/invitations"


async def client_of(people: People, owner: Person, contact_id: UUID) -> Person:
    """Somebody who was invited as this contact, and came."""
    wanted = {"email": fresh_email(), "role": "client", "contact_id": str(contact_id)}
    invited = await owner.client.post(INVITATIONS, wanted)
    assert invited.status == 201, invited.body
    assert invited.json()["contact_id"] == str(contact_id)
    return people.person(await people.accept(await people.token_of(invited)))


async def told(auth: Harness, type_: type[Event], client: Person, *contact_ids: UUID) -> Received[Any]:
    """The event that says who they are now."""
    return await auth.spy.expect(
        type_,
        lambda event: (event.data.user_id, event.data.contact_ids) == (client.id, list(contact_ids)),
    )


def merged(gone: UUID, into: UUID, merge_id: UUID) -> ContactMerged:
    return ContactMerged(contact_id=gone, into_contact_id=into, merge_id=merge_id, identity_ids=[])


def _unmerged(back: UUID, of: UUID, merge_id: UUID) -> ContactUnmerged:
    return ContactUnmerged(
        contact_id=back,
        from_contact_id=of,
        merge_id=merge_id,
        identity_ids=[],
        name=None,
        email=None,
        phone=None,
        language=None,
        company_id=None,
        owner_id=None,
        tags=[],
        source="manual",
    )


async def test_who_accepts_is_linked_and_unlinked_again(auth: Harness, people: People, owner: Person) -> None:
    contact = new_id()
    client = await client_of(people, owner, contact)
    linked = await told(auth, ClientLinked, client, contact)
    assert (linked.org, linked.envelope.audience) == (owner.org, None)
    listed = (await owner.client.get("/v1/clients")).json()["items"]
    assert listed == [{"user_id": str(client.id), "contact_ids": [str(contact)]}]
    assert (await client.client.get("/v1/clients")).status == 403

    path = f"/v1/users/{client.id}/contact"
    assert (await client.client.delete(path)).status == 403
    assert (await people.auth.client(new_id()).delete(path)).status == 404
    assert (await owner.client.delete(path)).status == 204
    ended = await told(auth, ClientUnlinked, client)
    assert ended.sequence > linked.sequence
    assert (await owner.client.delete(path)).status == 204, "once is enough"
    assert (await owner.client.get("/v1/clients")).json()["items"] == []


async def test_nobody_else_is_linked(people: People, owner: Person) -> None:
    wanted = {"email": fresh_email(), "role": "team_member", "contact_id": str(new_id())}
    assert (await owner.client.post(INVITATIONS, wanted)).status == 422
    member = await people.member(owner, "team_member")
    wanted["role"] = "client"
    assert (await member.client.post(INVITATIONS, wanted)).status == 403
    await people.member(owner, "client")
    assert (await owner.client.get("/v1/clients")).json()["items"] == []


async def test_merges_are_followed_and_undone(auth: Harness, people: People, owner: Person) -> None:
    first, second, third = new_id(), new_id(), new_id()
    client = await client_of(people, owner, first)
    one, other = new_id(), new_id()
    await auth.publish(merged(first, second, one), org=owner.org)
    await told(auth, ClientLinked, client, first, second)
    await auth.publish(merged(third, second, other), org=owner.org)
    await told(auth, ClientLinked, client, first, second, third)
    await auth.publish(_unmerged(first, second, one), org=owner.org)
    # What had come through the first merge is not theirs either.
    await auth.spy.expect(
        ClientLinked,
        lambda event: (event.data.user_id, event.sequence, event.data.contact_ids) == (client.id, 4, [first]),
    )


async def test_nobody_is_a_contact_that_is_gone(auth: Harness, people: People, owner: Person) -> None:
    contact = new_id()
    client, others = await client_of(people, owner, contact), await client_of(people, owner, new_id())
    await told(auth, ClientLinked, client, contact)
    await auth.publish(ContactDeleted(contact_id=contact, identity_ids=[]), org=owner.org)
    await told(auth, ClientUnlinked, client)
    listed = (await owner.client.get("/v1/clients")).json()["items"]
    assert [each["user_id"] for each in listed] == [str(others.id)]
