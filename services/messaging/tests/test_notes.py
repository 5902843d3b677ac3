"""What people write to each other in a conversation."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from flotilla.events.threads import MessageDeleted, MessageEdited, MessageNoted
from flotilla.events.websocket import NotificationRequested
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla_messaging.store import bodies

Received = Callable[..., Awaitable[UUID]]
Member = Callable[..., Awaitable[UUID]]


async def test_a_note_stands_in_its_place_and_who_is_mentioned_is_told(
    messaging: Harness, org: UUID, people: Client, received: Received, member: Member
) -> None:
    conversation_id, anna = await received("Where is it?"), await member()
    path = f"/v1/conversations/{conversation_id}"
    before = (await people.get(path)).json()
    made = await people.post(f"{path}/notes", {"text": "Ask the depot", "mentions": [str(anna), str(anna)]})
    note = made.json()
    assert (made.status, note["position"], note["direction"], note["state"]) == (201, 2, "note", "noted")
    told = await messaging.spy.expect(MessageNoted, lambda event: event.org == org)
    assert (told.data.text, told.data.mentions, told.data.author) == (
        "Ask the depot",
        [anna],
        f"user:{people.user_id}",
    )
    notice = await messaging.spy.expect(NotificationRequested, lambda event: event.org == org)
    assert (notice.data.user_id, notice.envelope.requestid) == (anna, notice.data.notification_id)
    history = (await people.get(f"{path}/messages")).json()["items"]
    assert [each["text"] for each in history] == ["Ask the depot", "Where is it?"]
    after = (await people.get(path)).json()
    assert after | {"last_position": 1} == before  # it answers nobody, and is not what was said last
    reply = await people.post(f"{path}/messages", {"text": "On its way"})
    assert reply.json()["position"] == 3


async def test_a_note_is_edited_and_taken_back_by_who_wrote_it(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}"
    made = await people.post(f"{path}/notes", {"text": "Tomorow"})
    note = f"/v1/messages/{made.json()['id']}"
    assert (await messaging.client(org, "team_member").patch(note, {"text": "x"})).status == 403
    edited = await people.patch(note, {"text": "Tomorrow"}, headers={"If-Match": made.headers["ETag"]})
    assert (edited.status, edited.json()["text"]) == (200, "Tomorrow")
    assert edited.json()["edited_at"] is not None
    assert (await people.patch(note, {"text": "x"}, headers={"If-Match": made.headers["ETag"]})).status == 412
    told = await messaging.spy.expect(MessageEdited, lambda event: event.org == org)
    assert (told.data.text, told.data.direction, told.sequence) == ("Tomorrow", "note", 2)
    assert (await people.get(note)).json()["text"] == "Tomorrow"
    assert (await people.delete(note)).status == 204
    gone = await messaging.spy.expect(MessageDeleted, lambda event: event.org == org)
    assert (gone.data.deleted_by, gone.sequence) == (f"user:{people.user_id}", 3)
    left = (await people.get(note)).json()
    assert (left["text"], left["deleted_at"] is not None) == (None, True)
    assert (await people.get(f"{path}/messages")).json()["items"][0]["text"] is None
    assert (await people.patch(note, {"text": "x"})).status == 409
    assert (await people.delete(note)).status == 409

    async def texts_gone() -> bool:
        collection = bodies.collection(messaging.app)
        async with messaging.app.db.transaction(org) as tx:
            row = await tx.fetchrow("SELECT id, body_id FROM messages WHERE direction = 'note'")
        assert row is not None
        return not await collection.find_by_ids(org, [row["id"], row["body_id"]])

    await eventually(texts_gone)


async def test_what_customers_said_or_were_told_is_not_changed(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}"
    reply = (await people.post(f"{path}/messages", {"text": "Hello"})).json()
    for each in (await people.get(f"{path}/messages")).json()["items"]:
        assert (await people.patch(f"/v1/messages/{each['id']}", {"text": "x"})).status == 409
        assert (await people.delete(f"/v1/messages/{each['id']}")).status == 409
    assert (await people.get(f"/v1/messages/{reply['id']}")).json()["text"] == "Hello"
    assert not messaging.spy.of(MessageEdited, org)


async def test_notes_are_the_organizations_own(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    path = f"/v1/conversations/{await received()}"
    for body in ({}, {"text": " "}, {"text": "x", "mentions": [str(new_id())]}, {"text": "a\x00"}):
        assert (await people.post(f"{path}/notes", body)).status == 422
    note = (await people.post(f"{path}/notes", {"text": "Ours"})).json()
    stranger = messaging.client(new_id())
    assert (await stranger.post(f"{path}/notes", {"text": "x"})).status == 404
    assert (await stranger.patch(f"/v1/messages/{note['id']}", {"text": "x"})).status == 404
    assert (await stranger.delete(f"/v1/messages/{note['id']}")).status == 404
    assert (await messaging.client(org, "viewer").post(f"{path}/notes", {"text": "x"})).status == 403
    # An administrator may take back what another wrote, and not put words into their mouth.
    owner = messaging.client(org)
    assert (await owner.patch(f"/v1/messages/{note['id']}", {"text": "x"})).status == 403
    assert (await owner.delete(f"/v1/messages/{note['id']}")).status == 204
