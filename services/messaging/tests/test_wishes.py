"""Messages that other services ask for."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from flotilla.cause import Cause
from flotilla.events.campaign import ContactUnsubscribed
from flotilla.events.crm import ContactIdentified
from flotilla.events.messaging import MessageRefused, MessageRequested, MessageSendRequested, Tracking
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.simulators.channel import Channel

Received = Callable[..., Awaitable[UUID]]


def wish(conversation_id: UUID, text: str | None = "Are you still there?") -> MessageRequested:
    return MessageRequested(request_id=new_id(), conversation_id=conversation_id, contact_id=None, text=text)


async def test_a_wish_is_queued_once_under_its_own_id(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    conversation_id = await received()
    asked = wish(conversation_id)
    cause = Cause.fresh(f"rule:{new_id()}")
    for _ in range(3):  # a wish that is published again as another event is the same wish
        await messaging.publish(asked, org=org, cause=cause)
    last = wish(conversation_id, "Hello?")
    await messaging.publish(last, org=org)
    await messaging.spy.expect(MessageSendRequested, lambda event: event.data.message_id == last.request_id)
    sends = messaging.spy.of(MessageSendRequested, org)
    assert [send.data.message_id for send in sends] == [asked.request_id, last.request_id]
    assert [send.data.author for send in sends] == [cause.actor, "service:test"]
    shown = (await people.get(f"/v1/messages/{asked.request_id}")).json()
    assert (shown["text"], shown["state"]) == ("Are you still there?", "queued")


@pytest.mark.parametrize(("text", "reason"), [(None, "empty"), (" ", "empty"), ("a" * 9000, "too_long")])
async def test_what_cannot_be_sent_is_refused(
    messaging: Harness, org: UUID, received: Received, text: str | None, reason: str
) -> None:
    asked = wish(await received(), text)
    await messaging.publish(asked, org=org)
    refused = await messaging.spy.expect(
        MessageRefused, lambda event: event.data.request_id == asked.request_id
    )
    assert refused.data.reason == reason
    assert not messaging.spy.of(MessageSendRequested, org)


async def test_another_organizations_conversation_is_unknown(
    messaging: Harness, org: UUID, received: Received
) -> None:
    asked = wish(await received())
    await messaging.publish(asked, org=new_id())
    refused = await messaging.spy.expect(
        MessageRefused, lambda event: event.data.request_id == asked.request_id
    )
    assert refused.data.reason == "unknown_conversation"


async def test_without_a_conversation_it_goes_to_the_newest_of_the_contact(
    messaging: Harness, org: UUID, channel: Channel, received: Received
) -> None:
    older, contact_id = await received(), new_id()
    newest = await received("And here", 2, elsewhere := Channel(new_id()))
    await _identified(messaging, org, contact_id, channel.writes(1).identity_id)
    await _identified(messaging, org, contact_id, elsewhere.writes(2).identity_id)
    tracking = Tracking(open_url="https://example.org/o", unsubscribe_url="https://example.org/u")
    asked = MessageRequested(
        request_id=new_id(), conversation_id=None, contact_id=contact_id, text="Hi", tracking=tracking
    )
    await messaging.publish(asked, org=org)
    send = await messaging.spy.expect(
        MessageSendRequested, lambda event: event.data.message_id == asked.request_id
    )
    assert (send.data.conversation_id, send.data.tracking) == (newest, tracking)
    assert send.data.conversation_id != older
    nobody = MessageRequested(request_id=new_id(), conversation_id=None, contact_id=new_id(), text="Hi")
    await messaging.publish(nobody, org=org)
    refused = await messaging.spy.expect(
        MessageRefused, lambda event: event.data.request_id == nobody.request_id
    )
    assert (refused.data.reason, refused.data.conversation_id) == ("unknown_conversation", None)


async def test_a_wish_may_come_before_it_is_known_whose_the_conversation_is(
    messaging: Harness, org: UUID, received: Received, channel: Channel
) -> None:
    conversation_id, contact_id = await received(), new_id()
    asked = MessageRequested(request_id=new_id(), conversation_id=None, contact_id=contact_id, text="Booked!")
    await messaging.publish(asked, org=org)

    async def held() -> bool:
        async with messaging.app.db.transaction(org) as tx:
            sql = "SELECT EXISTS (SELECT FROM parked_events WHERE waiting_for = $1)"
            return bool(await tx.fetchval(sql, f"contact:{contact_id}"))

    await eventually(held)
    await _identified(messaging, org, contact_id, channel.writes(1).identity_id)
    send = await messaging.spy.expect(
        MessageSendRequested, lambda event: event.data.message_id == asked.request_id
    )
    assert send.data.conversation_id == conversation_id
    assert not messaging.spy.of(MessageRefused, org)


async def test_who_has_unsubscribed_is_sent_no_promotion_but_is_answered(
    messaging: Harness, org: UUID, people: Client, channel: Channel, received: Received
) -> None:
    conversation_id, contact_id = await received(), new_id()
    await _identified(messaging, org, contact_id, channel.writes(1).identity_id)
    unsubscribed = ContactUnsubscribed(
        contact_id=contact_id, reason="requested", unsubscribed_at=datetime.now(UTC)
    )
    await messaging.publish(unsubscribed, org=org)

    async def known() -> bool:
        async with messaging.app.db.transaction(org) as tx:
            return bool(await tx.fetchval("SELECT count(*) FROM opt_outs"))

    await eventually(known)
    promotion = msgspec.structs.replace(wish(conversation_id), purpose="promotion")
    await messaging.publish(promotion, org=org)
    refused = await messaging.spy.expect(
        MessageRefused, lambda event: event.data.request_id == promotion.request_id
    )
    assert refused.data.reason == "unsubscribed"
    service = wish(conversation_id, "Your table is booked.")
    await messaging.publish(service, org=org)
    await messaging.spy.expect(
        MessageSendRequested, lambda event: event.data.message_id == service.request_id
    )
    body = {"text": "You asked how to come back to us."}
    assert (await people.post(f"/v1/conversations/{conversation_id}/messages", body)).status in (201, 202)


async def test_a_wish_goes_by_the_channels_it_names_and_an_answer_by_any(
    messaging: Harness, org: UUID, people: Client, received: Received
) -> None:
    conversation_id = await received()
    by_mail = msgspec.structs.replace(wish(conversation_id), purpose="promotion", channels=["email"])
    await messaging.publish(by_mail, org=org)
    refused = await messaging.spy.expect(
        MessageRefused, lambda event: event.data.request_id == by_mail.request_id
    )
    assert refused.data.reason == "no_consent"
    for channels in (["email", "telegram"], None):
        allowed = msgspec.structs.replace(wish(conversation_id), purpose="promotion", channels=channels)
        await messaging.publish(allowed, org=org)
        wanted = allowed.request_id
        await messaging.spy.expect(MessageSendRequested, lambda event: event.data.message_id == wanted)  # noqa: B023
    body = {"text": "You asked, and here is the answer."}
    assert (await people.post(f"/v1/conversations/{conversation_id}/messages", body)).status in (201, 202)


async def _identified(messaging: Harness, org: UUID, contact_id: UUID, identity_id: UUID) -> None:
    fact = ContactIdentified(
        identity_id=identity_id, contact_id=contact_id, channel="telegram", address=None, name=None
    )
    await messaging.publish(fact, org=org)

    async def known() -> bool:
        async with messaging.app.db.transaction(org) as tx:
            sql = "SELECT count(*) FROM identities WHERE id = $1"
            return bool(await tx.fetchval(sql, identity_id))

    await eventually(known)
