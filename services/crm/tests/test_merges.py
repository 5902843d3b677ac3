"""Two contacts become one, and two again; a contact goes for good. Real broker, real database."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flotilla.events.crm import (
    ContactCreated,
    ContactDeleted,
    ContactIdentified,
    ContactMerged,
    ContactUnmerged,
    ContactUpdated,
    TaskUpdated,
)
from flotilla.events.integrations import SenderProfile
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.crm.tests.conftest import received

Json = dict[str, Any]


async def _make(crm: Harness, org: UUID, **fields: Any) -> str:
    answer = await crm.client(org).post("/v1/contacts", fields)
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def _met(crm: Harness, org: UUID, identity: UUID, **fields: Any) -> str:
    """Somebody who wrote: their contact."""
    await crm.publish(received(identity, **fields), org=org)
    found = await crm.spy.expect(ContactIdentified, lambda event: event.data.identity_id == identity)
    return str(found.data.contact_id)


async def _about(crm: Harness, org: UUID, contact: str) -> tuple[str, str]:
    """A task and a note about a contact."""
    client = crm.client(org)
    task = await client.post("/v1/tasks", {"title": "Call", "contact_id": contact})
    note = await client.post("/v1/notes", {"text": "Likes tea", "contact_id": contact})
    assert (task.status, note.status) == (201, 201)
    return task.json()["id"], note.json()["id"]


async def _merge(crm: Harness, org: UUID, winner: str, loser: str, **fields: Any) -> Json:
    answer = await crm.client(org).post(f"/v1/contacts/{winner}/merges", {"contact_id": loser, **fields})
    assert answer.status == 201, answer.body
    made: Json = answer.json()
    return made


async def _get(crm: Harness, org: UUID, path: str) -> Json:
    answer = await crm.client(org).get(path)
    assert answer.status == 200, (path, answer.body)
    found: Json = answer.json()
    return found


async def test_a_merge_moves_everything_and_says_so(crm: Harness, org: UUID) -> None:
    identity = new_id()
    loser = await _met(crm, org, identity)
    winner = await _make(crm, org, name="Z. Groß", email="zoe@example.com", tags=["vip"])
    await crm.client(org).patch(
        f"/v1/contacts/{loser}", {"tags": ["new"], "language": "de", "custom_fields": {"size": 4}}
    )
    task, note = await _about(crm, org, loser)
    merge = await _merge(crm, org, winner, loser, take=["name"])

    one = await _get(crm, org, f"/v1/contacts/{winner}")
    assert (one["name"], one["email"], one["language"]) == ("Zoë Groß", "zoe@example.com", "de")
    assert (one["tags"], one["custom_fields"]) == (["new", "vip"], {"size": 4})
    assert [each["identity_id"] for each in one["identities"]] == [str(identity)]
    assert (await _get(crm, org, f"/v1/tasks/{task}"))["contact_id"] == winner
    assert (await _get(crm, org, f"/v1/notes/{note}"))["contact_id"] == winner
    kinds = [entry["kind"] for entry in (await _get(crm, org, f"/v1/contacts/{winner}/timeline"))["items"]]
    assert {"contact.merged", "message.received", "task.created", "note.created"} <= set(kinds)

    gone = await crm.client(org).get(f"/v1/contacts/{loser}")
    assert (gone.status, gone.json()["merged_into"]) == (410, winner)
    listed = (await _get(crm, org, "/v1/contacts"))["items"]
    assert [each["id"] for each in listed] == [winner]
    assert (await _get(crm, org, f"/v1/contacts/{winner}/merges"))["items"] == [merge]

    told = await crm.spy.expect(ContactMerged, lambda event: event.org == org)
    assert (str(told.data.contact_id), str(told.data.into_contact_id)) == (loser, winner)
    assert (told.data.identity_ids, told.sequence) == ([identity], 3)
    await crm.spy.expect(
        ContactIdentified, lambda event: event.data.identity_id == identity and event.sequence == 2
    )
    moved = await crm.spy.expect(TaskUpdated, lambda event: event.org == org)
    assert moved.data.changed == {"contact_id": [loser, winner]}
    changed = await crm.spy.expect(
        ContactUpdated, lambda event: event.org == org and str(event.data.contact_id) == winner
    )
    assert set(changed.data.changed) == {"name", "language", "tags", "custom_fields"}

    await crm.publish(received(identity, position=2, first=False), org=org)

    async def noted() -> bool:
        items = (await _get(crm, org, f"/v1/contacts/{winner}/timeline"))["items"]
        return bool(sum(item["kind"] == "message.received" for item in items) == 2)

    await eventually(noted, what="what they write now is the winner's")


async def test_an_undone_merge_gives_back_what_it_took(crm: Harness, org: UUID) -> None:
    identity = new_id()
    loser = await _met(crm, org, identity)
    winner = await _make(crm, org, name="Z. Groß", tags=["vip"])
    before = await _get(crm, org, f"/v1/contacts/{winner}")
    old = await _get(crm, org, f"/v1/contacts/{loser}")
    task, note = await _about(crm, org, loser)
    merge = await _merge(crm, org, winner, loser, take=["name"])
    own_task, own_note = await _about(crm, org, winner)
    await crm.client(org).patch(
        f"/v1/contacts/{winner}", {"tags": ["vip", "later"], "phone": "+49 30 901820"}
    )

    undone = await crm.client(org).post(f"/v1/contact-merges/{merge['id']}/undo")
    assert undone.status == 200, undone.body
    assert undone.json()["undone_at"] is not None
    one, two = [await _get(crm, org, f"/v1/contacts/{each}") for each in (winner, loser)]
    assert (one["name"], one["tags"]) == (before["name"], ["later", "vip"])
    assert one["phone"] == "+4930901820", "what was changed since stays"
    assert {**two, "updated_at": None} == {**old, "updated_at": None}
    for path, whose in (
        (f"/v1/tasks/{task}", loser),
        (f"/v1/notes/{note}", loser),
        (f"/v1/tasks/{own_task}", winner),
        (f"/v1/notes/{own_note}", winner),
    ):
        assert (await _get(crm, org, path))["contact_id"] == whose
    back = await crm.spy.expect(ContactUnmerged, lambda event: event.org == org)
    merged = await crm.spy.expect(ContactMerged, lambda event: event.org == org)
    assert back.sequence == merged.sequence + 1
    assert (back.data.name, back.data.identity_ids) == ("Zoë Groß", [identity])
    await crm.spy.expect(
        ContactIdentified, lambda event: event.data.identity_id == identity and event.sequence == 3
    )
    again = await crm.client(org).post(f"/v1/contact-merges/{merge['id']}/undo")
    assert again.status == 409


async def test_merges_are_undone_in_the_order_they_were_made_in(crm: Harness, org: UUID) -> None:
    first, second, third = [await _make(crm, org, name=name) for name in ("A", "B", "C")]
    inner = await _merge(crm, org, second, first)
    outer = await _merge(crm, org, third, second)
    client = crm.client(org)
    refused = await client.post(f"/v1/contact-merges/{inner['id']}/undo")
    assert refused.status == 409
    assert (await client.post(f"/v1/contact-merges/{outer['id']}/undo")).status == 200
    assert (await client.post(f"/v1/contact-merges/{inner['id']}/undo")).status == 200
    names = {each["name"] for each in (await _get(crm, org, "/v1/contacts"))["items"]}
    assert names == {"A", "B", "C"}


async def test_merges_that_cannot_be(crm: Harness, org: UUID) -> None:
    one, other = await _make(crm, org, name="A"), await _make(crm, new_id(), name="B")
    client = crm.client(org)
    path = f"/v1/contacts/{one}/merges"
    for body in ({"contact_id": one}, {"contact_id": other}, {"contact_id": one, "take": ["tags"]}, {}):
        assert (await client.post(path, body)).status == 422, body
    assert (await client.post(f"/v1/contacts/{other}/merges", {"contact_id": one})).status == 404
    assert (await client.get(f"/v1/contact-merges/{new_id()}")).status == 404
    assert (await crm.client(org, role="viewer").post(path, {"contact_id": other})).status == 403


async def test_a_deleted_contact_is_gone_and_nothing_late_brings_it_back(crm: Harness, org: UUID) -> None:
    identity, then = new_id(), datetime.now(UTC) - timedelta(minutes=1)
    contact = await _met(crm, org, identity, sent_at=then)
    task, note = await _about(crm, org, contact)
    client = crm.client(org)
    assert (await client.delete(f"/v1/contacts/{contact}", headers={"If-Match": '"7"'})).status == 412
    assert (await client.delete(f"/v1/contacts/{contact}")).status == 204
    assert (await client.get(f"/v1/contacts/{contact}")).status == 410
    assert (await client.delete(f"/v1/contacts/{contact}")).status == 410
    assert (await client.get(f"/v1/notes/{note}")).status == 404
    assert (await _get(crm, org, f"/v1/tasks/{task}"))["contact_id"] is None
    gone = await crm.spy.expect(ContactDeleted, lambda event: event.org == org)
    assert (str(gone.data.contact_id), gone.data.identity_ids, gone.sequence) == (contact, [identity], 2)

    late = received(identity, sent_at=then + timedelta(seconds=1), position=2, first=False)
    await crm.publish(late, org=org)
    fresh = received(identity, sent_at=datetime.now(UTC) + timedelta(seconds=5), position=3, first=False)
    await crm.publish(fresh, org=org)
    created = await crm.spy.expect(
        ContactCreated, lambda event: event.org == org and str(event.data.contact_id) != contact
    )
    found = await crm.spy.expect(
        ContactIdentified, lambda event: event.data.identity_id == identity and event.sequence == 3
    )
    assert found.data.contact_id == created.data.contact_id
    assert (await client.get(f"/v1/contacts/{contact}")).status == 410


async def test_a_late_message_of_somebody_deleted_makes_nobody(crm: Harness, org: UUID) -> None:
    identity, then = new_id(), datetime.now(UTC) - timedelta(minutes=1)
    contact = await _met(crm, org, identity, sent_at=then)
    assert (await crm.client(org).delete(f"/v1/contacts/{contact}")).status == 204
    await crm.publish(received(identity, sent_at=then, position=2, first=False), org=org)
    await _met(crm, org, new_id(), sender=SenderProfile(address="5", name="Another"))
    listed = (await _get(crm, org, "/v1/contacts"))["items"]
    assert [each["name"] for each in listed] == ["Another"]


async def test_what_a_deleted_contact_had_absorbed_is_forgotten(crm: Harness, org: UUID) -> None:
    one, other = await _make(crm, org, name="A"), await _make(crm, org, name="B")
    merge = await _merge(crm, org, one, other)
    assert (await crm.client(org).delete(f"/v1/contacts/{one}")).status == 204
    assert (await crm.client(org).post(f"/v1/contact-merges/{merge['id']}/undo")).status == 404
    async with crm.app.db.transaction(org) as tx:
        assert await tx.fetchval("SELECT count(*) FROM contact_merges") == 0
