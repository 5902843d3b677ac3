"""Customers' messages find their conversations and places, whatever order they come in."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

from flotilla.events.crm import ContactIdentified
from flotilla.events.messaging import (
    ConversationOpened,
    ConversationReopened,
    ConversationResolved,
    MessageReceived,
)
from flotilla.ids import new_id
from flotilla.service import load
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.harness import running
from flotilla.testing.simulators.channel import Channel

Received = Callable[..., Awaitable[UUID]]


async def test_a_first_message_opens_a_conversation(
    messaging: Harness, org: UUID, channel: Channel, people: Client, received: Received
) -> None:
    conversation_id = await received("Wo ist meine Bestellung?")
    opened = await messaging.spy.expect(ConversationOpened, lambda event: event.org == org)
    said = await messaging.spy.expect(MessageReceived, lambda event: event.org == org)
    assert (opened.data.conversation_id, opened.sequence, opened.envelope.audience) == (
        conversation_id,
        1,
        "org",
    )
    assert (said.data.position, said.data.first, said.data.text) == (1, True, "Wo ist meine Bestellung?")
    assert said.envelope.correlationid == opened.envelope.correlationid
    listed = (await people.get("/v1/conversations")).json()["items"]
    assert [(each["id"], each["last_message"]["text"]) for each in listed] == [
        (str(conversation_id), "Wo ist meine Bestellung?")
    ]
    shown = (await people.get(f"/v1/conversations/{conversation_id}/messages")).json()["items"][0]
    assert (shown["text"], shown["sender"]["name"], shown["state"]) == (
        "Wo ist meine Bestellung?",
        "Iryna",
        "received",
    )


async def test_two_replicas_give_200_shuffled_and_repeated_messages_one_gapless_thread(
    messaging: Harness, org: UUID, channel: Channel
) -> None:
    """A second replica shares the lane; every message comes twice, under two event ids."""
    sent = [channel.writes(number) for number in range(200)] * 2
    random.Random(7).shuffle(sent)
    async with running(load("messaging"), instance=messaging.instance) as second:
        publishers = (messaging, second)
        await asyncio.gather(*(publishers[n % 2].publish(each, org=org) for n, each in enumerate(sent)))

        async def placed() -> bool:
            return len(messaging.spy.of(MessageReceived, org)) >= 200

        await eventually(placed, seconds=30)
    told = messaging.spy.of(MessageReceived, org)
    assert sorted(event.data.position for event in told) == list(range(1, 201))
    assert len({event.data.message_id for event in told}) == 200
    assert len(messaging.spy.of(ConversationOpened, org)) == 1
    async with messaging.app.db.transaction(org) as tx:
        assert await tx.fetchval("SELECT count(*) FROM conversations") == 1
        rows = await tx.fetch("SELECT id, position FROM messages ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, 201))
    assert await messaging.app.db.fetchval("SELECT count(*) FROM parked_events") == 0


async def test_one_batch_of_many_conversations_and_organizations(messaging: Harness) -> None:
    orgs = [new_id(), new_id()]
    channels = [Channel(new_id(), chat=str(number)) for number in range(5)]
    wanted = [(org, channel.writes(number)) for org in orgs for channel in channels for number in range(4)]
    random.Random(3).shuffle(wanted)
    await asyncio.gather(*(messaging.publish(message, org=org) for org, message in wanted))

    async def placed() -> bool:
        return all(len(messaging.spy.of(MessageReceived, org)) == 20 for org in orgs)

    await eventually(placed)
    for org in orgs:
        assert len(messaging.spy.of(ConversationOpened, org)) == 5
        positions: dict[UUID, list[int]] = {}
        for event in messaging.spy.of(MessageReceived, org):
            positions.setdefault(event.data.conversation_id, []).append(event.data.position)
        assert all(sorted(each) == [1, 2, 3, 4] for each in positions.values())


async def test_writing_again_reopens_the_same_conversation(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    conversation_id = await received()
    done = await people.post(f"/v1/conversations/{conversation_id}/resolve")
    assert done.json()["state"] == "resolved"
    resolved = await messaging.spy.expect(ConversationResolved, lambda event: event.org == org)
    assert resolved.data.changed["state"] == ["open", "resolved"]
    assert await received("one more thing", 2) == conversation_id
    reopened = await messaging.spy.expect(ConversationReopened, lambda event: event.org == org)
    assert reopened.data.changed["state"] == ["resolved", "open"]
    found = (await people.get(f"/v1/conversations/{conversation_id}")).json()
    assert (found["state"], found["resolved_at"], found["sequence"]) == ("open", None, 3)


async def test_the_contact_is_known_once_crm_says_so(
    messaging: Harness, org: UUID, channel: Channel, people: Client, received: Received
) -> None:
    conversation_id = await received()
    contact_id = new_id()
    await messaging.publish(
        ContactIdentified(
            identity_id=channel.identity_id,
            contact_id=contact_id,
            channel="telegram",
            address="77",
            name="Iryna K",
        ),
        org=org,
        sequence=1,
    )

    async def shown() -> list[str]:
        answer = await people.get(f"/v1/conversations?contact_id={contact_id}")
        return [each["customer_name"] for each in answer.json()["items"]]

    assert await eventually(shown) == ["Iryna K"]
    await received("again", 2)
    told = messaging.spy.of(MessageReceived, org)
    assert [event.data.contact_id for event in told] == [None, contact_id]
    assert told[1].data.conversation_id == conversation_id
