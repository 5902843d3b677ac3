"""The person behind a channel identity, from the event to the row: real broker, real database."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flotilla.events.crm import ContactCreated, ContactIdentified
from flotilla.events.integrations import SenderProfile
from flotilla.events.messaging import MessageReceived, MessageSent
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService

from services.crm.tests.conftest import received


async def _entries(crm: Harness, org: UUID) -> list[tuple[str, UUID]]:
    async with crm.app.db.transaction(org) as tx:
        rows = await tx.fetch("SELECT kind, reference_id FROM timeline_entries ORDER BY at, id")
        return [(row["kind"], row["reference_id"]) for row in rows]


async def _until_written(crm: Harness, org: UUID, messages: int) -> list[tuple[str, UUID]]:
    async def written() -> list[tuple[str, UUID]] | None:
        entries = await _entries(crm, org)
        return entries if sum(kind == "message.received" for kind, _ in entries) == messages else None

    found = await eventually(written, what=f"{messages} messages stand in the timeline")
    assert found is not None
    return found


async def test_a_first_message_makes_a_contact_and_says_who_it_is(crm: Harness, org: UUID) -> None:
    identity = new_id()
    sender = SenderProfile(address="4711", name=" Zoë  Groß", phone="4930901820", language="de")
    message = received(identity, sender=sender)
    cause = await crm.publish(message, org=org, audience="org")

    created = await crm.spy.expect(ContactCreated, lambda event: event.org == org)
    identified = await crm.spy.expect(ContactIdentified, lambda event: event.data.identity_id == identity)
    assert (created.data.name, created.data.phone, created.data.language) == ("Zoë Groß", "+4930901820", "de")
    assert (created.data.source, created.sequence, created.envelope.audience) == ("channel", 1, "org")
    assert identified.data.contact_id == created.data.contact_id
    assert created.envelope.causationid == identified.envelope.causationid == cause
    entries = await _until_written(crm, org, 1)
    assert [kind for kind, _ in entries] == ["message.received", "contact.created", "contact.identified"]

    answer = await crm.client(org).get(f"/v1/contacts/{created.data.contact_id}")
    assert answer.json()["identities"][0]["identity_id"] == str(identity)


async def test_nothing_is_said_of_somebody_known(crm: Harness, org: UUID) -> None:
    identity = new_id()
    await crm.publish(received(identity), org=org)
    await crm.spy.expect(ContactIdentified, lambda event: event.org == org)
    for position in range(2, 5):
        await crm.publish(received(identity, position=position, first=False), org=org)
    await _until_written(crm, org, 4)
    await crm.app.relay.drained(5)
    assert len(crm.spy.of(ContactCreated, org)) == len(crm.spy.of(ContactIdentified, org)) == 1


async def test_many_messages_of_many_new_people_in_two_replicas(
    crm: Harness, start_service: StartService, org: UUID
) -> None:
    """Each person's messages come close together, spread over both replicas; everything is delivered twice."""
    people = [new_id() for _ in range(20)]
    messages = [(received(identity), new_id()) for identity in people for _ in range(5)]
    async with start_service("crm", instance=crm.instance):
        await asyncio.gather(
            *(
                crm.publish(message, org=org, event_id=event_id)
                for _ in range(2)
                for message, event_id in messages
            )
        )
        await _until_written(crm, org, len(messages))

        async def told() -> bool:
            return len(crm.spy.of(ContactIdentified, org)) >= len(people)

        await eventually(told)
        async with crm.app.db.transaction(org) as tx:
            assert await tx.fetchval("SELECT count(*) FROM contacts") == len(people)
            assert await tx.fetchval("SELECT count(*) FROM channel_identities") == len(people)
            assert await tx.fetchval("SELECT count(DISTINCT contact_id) FROM channel_identities") == len(
                people
            )
    assert len(crm.spy.of(ContactCreated, org)) == len(crm.spy.of(ContactIdentified, org)) == len(people)
    parked = "SELECT count(*) FROM parked_events WHERE organization_id = $1"
    assert await crm.app.db.fetchval(parked, org) == 0


async def test_two_channels_of_one_phone_number_are_one_contact(
    crm: Harness, start_service: StartService, org: UUID
) -> None:
    """Met by two replicas at once: the second waits for the first and finds its contact."""
    sender = SenderProfile(address="1", phone="+49 30 901820")
    async with start_service("crm", instance=crm.instance):
        await asyncio.gather(*(crm.publish(received(new_id(), sender=sender), org=org) for _ in range(8)))
        await _until_written(crm, org, 8)
    async with crm.app.db.transaction(org) as tx:
        assert await tx.fetchval("SELECT count(*) FROM contacts") == 1
        assert await tx.fetchval("SELECT count(*) FROM channel_identities") == 8


async def test_an_email_address_that_one_contact_has_leads_to_it(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    known = (await client.post("/v1/contacts", {"name": "Zoë", "email": "Zoe@Example.com"})).json()["id"]
    sender = SenderProfile(address="zoe@example.com", email="zoe@EXAMPLE.com")
    await crm.publish(received(new_id(), channel="email", sender=sender), org=org)
    identified = await crm.spy.expect(ContactIdentified, lambda event: event.org == org)
    assert str(identified.data.contact_id) == known
    assert [event.data.source for event in crm.spy.of(ContactCreated, org)] == ["manual"]


async def test_an_email_address_that_two_contacts_have_leads_to_neither(crm: Harness, org: UUID) -> None:
    client = crm.client(org)
    for name in ("Zoë", "Her brother"):
        await client.post("/v1/contacts", {"name": name, "email": "family@example.com"})
    sender = SenderProfile(address="family@example.com", email="family@example.com")
    await crm.publish(received(new_id(), sender=sender), org=org)
    identified = await crm.spy.expect(ContactIdentified, lambda event: event.org == org)
    created = await crm.spy.expect(
        ContactCreated, lambda event: event.org == org and event.data.source == "channel"
    )
    assert identified.data.contact_id == created.data.contact_id


async def test_a_sender_who_was_erased_is_still_somebody(crm: Harness, org: UUID) -> None:
    await crm.publish(received(new_id(), sender=None), org=org)
    created = await crm.spy.expect(ContactCreated, lambda event: event.org == org)
    assert created.data.name is None


async def test_a_reply_that_comes_before_its_person_is_known_waits(crm: Harness, org: UUID) -> None:
    identity, now = new_id(), datetime.now(UTC)
    reply = _reply(received(identity), now)
    await crm.publish(reply, org=org)

    async def waits() -> bool:
        return bool(
            await crm.app.db.fetchval(
                "SELECT count(*) FROM parked_events WHERE waiting_for = $1", f"identity:{identity}"
            )
        )

    await eventually(waits, what="the reply waits for its identity")
    await crm.publish(received(identity, sent_at=now - timedelta(minutes=1)), org=org)

    async def noted() -> bool:
        return ("message.sent", reply.message_id) in await _entries(crm, org)

    await eventually(noted, what="the reply stands in the timeline")


def _reply(message: MessageReceived, at: datetime) -> MessageSent:
    return MessageSent(
        message_id=new_id(),
        conversation_id=message.conversation_id,
        position=2,
        account_id=message.account_id,
        channel=message.channel,
        identity_id=message.identity_id,
        contact_id=None,
        author=f"user:{new_id()}",
        draft_id=None,
        state="sent",
        reason=None,
        external_id="77",
        queued_at=at,
        occurred_at=at,
        responds_to_at=message.sent_at,
    )
