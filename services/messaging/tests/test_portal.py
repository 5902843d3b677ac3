"""What clients of an organization see of its conversations: their own, and what was said to them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from flotilla.events.crm import ContactIdentified
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.linking import link
from flotilla.testing.simulators.channel import Channel

OWN = "/v1/portal/conversations"
Received = Callable[..., Awaitable[UUID]]
Reached = Callable[[str, str], Awaitable[dict[str, Any]]]


async def _identified(messaging: Harness, org: UUID, channel: Channel, contact: UUID) -> None:
    told = ContactIdentified(
        contact_id=contact, identity_id=channel.identity_id, channel="telegram", address="77", name="Zoë Groß"
    )
    await messaging.publish(told, org=org)


async def _sees(client: Client, *conversations: UUID) -> None:
    async def so() -> bool:
        shown = await client.get(OWN)
        assert shown.status == 200, shown.body
        return [each["id"] for each in shown.json()["items"]] == [str(each) for each in conversations]

    await eventually(so, what="whose they are is known")


async def test_a_client_reads_what_was_said_in_their_own_conversations_alone(
    messaging: Harness, org: UUID, people: Client, channel: Channel, received: Received, reached: Reached
) -> None:
    contact, others = new_id(), Channel(new_id())
    conversation, other = await received("Where is it?"), await received("Hello", to=others)
    await _identified(messaging, org, channel, contact)
    await _identified(messaging, org, others, new_id())
    path = f"/v1/conversations/{conversation}"
    await people.post(f"{path}/notes", {"text": "Ask the depot"})
    reply = (await people.post(f"{path}/messages", {"text": "On its way"})).json()
    await messaging.publish(channel.sent(UUID(reply["id"])), org=org)
    await reached(reply["id"], "sent")
    await people.post(f"{path}/messages", {"text": "Not sent yet"})

    client = messaging.client(org, "client")
    await _sees(client)
    await link(messaging, client, 1, contact)
    await _sees(client, conversation)
    said = (await client.get(f"{OWN}/{conversation}/messages")).json()["items"]
    assert [(each["direction"], each["text"]) for each in said] == [
        ("out", "On its way"),
        ("in", "Where is it?"),
    ]
    assert not {"author", "draft_id", "reason", "sender"} & said[0].keys()
    first = (await client.get(f"{OWN}/{conversation}/messages?limit=1")).json()
    rest = (await client.get(f"{OWN}/{conversation}/messages?cursor={first['next_cursor']}")).json()
    assert [each["text"] for each in first["items"] + rest["items"]] == ["On its way", "Where is it?"]

    assert (await client.get(f"{OWN}/{other}/messages")).status == 404
    assert (await client.get(path)).status == 403
    stranger = messaging.client(org, "client")
    assert (await stranger.get(f"{OWN}/{conversation}/messages")).status == 404
    assert (await people.get(OWN)).json()["items"] == [], "a colleague is nobody's client"
    await link(messaging, client, 2)
    await _sees(client)
    assert (await client.get(f"{OWN}/{conversation}/messages")).status == 404


async def test_the_database_shows_a_client_no_other_conversation(
    messaging: Harness, org: UUID, channel: Channel, received: Received
) -> None:
    contact, others = new_id(), Channel(new_id())
    conversation = await received("Where is it?")
    await received("Hello", to=others)
    await _identified(messaging, org, channel, contact)
    client = messaging.client(org, "client")
    await link(messaging, client, 1, contact)
    await _sees(client, conversation)
    sql = "SELECT id FROM conversations"
    async with messaging.app.db.transaction(org) as tx:
        assert len(await tx.fetch(sql)) == 2, "anybody else sees all"
        await tx.execute(f"SET LOCAL flotilla.client = '{client.user_id}'")
        assert [row["id"] for row in await tx.fetch(sql)] == [conversation]
        await tx.execute(f"SET LOCAL flotilla.client = '{new_id()}'")
        assert await tx.fetch(sql) == []
