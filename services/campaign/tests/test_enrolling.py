"""Enrolment by others' wishes and by segments; messages that find their own conversation."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.campaign import (
    SequenceStarted,
    SequenceStartFailed,
    SequenceStartRequested,
    SequenceStopped,
)
from flotilla.events.crm import SegmentEntered, SegmentLeft
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually

from services.campaign.tests.conftest import (
    HELLO,
    WAIT,
    Stands,
    Wish,
    enrolled,
    published,
    received,
    sent,
)


async def ask(campaign: Harness, org: UUID, sequence_id: Any, **fields: Any) -> SequenceStartRequested:
    given = {"request_id": new_id(), "sequence_id": UUID(str(sequence_id)), "contact_id": new_id()} | fields
    wish = SequenceStartRequested(**given)
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="rule:1")
    await campaign.publish(wish, org=org, cause=cause)
    return wish


async def refusal(campaign: Harness, wish: SequenceStartRequested) -> str:
    failed = await campaign.spy.expect(
        SequenceStartFailed, lambda event: event.data.request_id == wish.request_id
    )
    assert failed.envelope.requestid == wish.request_id
    return failed.data.reason


async def test_a_rules_wish_enrols_once_under_its_own_id(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    id_ = await published(campaign, org)
    asked = await ask(campaign, org, id_, name="Zoë")
    told = await campaign.spy.expect(SequenceStarted, lambda event: event.org == org)
    assert (told.data.enrolment_id, told.envelope.requestid) == (asked.request_id, asked.request_id)
    for _ in range(2):
        await campaign.publish(asked, org=org)  # the same wish as another event
    message = await wish()
    assert (message.data.text, message.data.purpose) == ("Hello Zoë!", "promotion")
    assert (message.data.conversation_id, message.data.contact_id) == (None, asked.contact_id)
    again = await ask(campaign, org, id_, contact_id=asked.contact_id)
    assert await refusal(campaign, again) == "enrolled"
    assert len(campaign.spy.of(SequenceStarted, org)) == 1

    # Where they are written to is known from the first answer on; a reply there stops it.
    conversation_id = new_id()
    await campaign.publish(sent(message, conversation_id), org=org)
    await stands(str(asked.request_id), phase="wait", conversation_id=str(conversation_id))
    await campaign.publish(received(conversation_id), org=org)
    await stands(str(asked.request_id), state="stopped", reason="replied")


async def test_a_wish_that_cannot_be_granted_says_why(campaign: Harness, org: UUID) -> None:
    client = campaign.client(org)
    unpublished = (await client.post("/v1/sequences", {"name": "Later", "steps": [HELLO]})).json()["id"]
    deleted = await published(campaign, org)
    await client.delete(f"/v1/sequences/{deleted}")
    gone = new_id()
    await client.post("/v1/suppressions", {"contact_id": str(gone)})
    strangers = await published(campaign, new_id())
    id_ = await published(campaign, org)
    for sequence_id, fields, reason in (
        (new_id(), {}, "unknown_sequence"),
        (deleted, {}, "unknown_sequence"),
        (strangers, {}, "unknown_sequence"),
        (unpublished, {}, "unpublished"),
        (id_, {"contact_id": gone}, "unsubscribed"),
    ):
        assert await refusal(campaign, await ask(campaign, org, sequence_id, **fields)) == reason
    assert not campaign.spy.of(SequenceStarted, org)


async def test_an_answer_on_another_channel_is_one_too(
    campaign: Harness, org: UUID, wish: Wish, stands: Stands
) -> None:
    made = await enrolled(campaign, org, await published(campaign, org))
    await campaign.publish(sent(await wish()), org=org)
    await stands(made["id"], phase="wait")
    await campaign.publish(received(new_id(), contact_id=UUID(made["contact_id"])), org=org)
    await stands(made["id"], state="stopped", reason="replied")


def membership(type_: Any, segment_id: UUID, contact_id: UUID, membership_id: UUID) -> Any:
    return type_(
        membership_id=membership_id,
        segment_id=segment_id,
        segment_name="Trial users",
        contact_id=contact_id,
        changed_at=datetime.now(UTC),
    )


async def test_who_enters_a_segment_is_enrolled_and_leaves_with_it(
    campaign: Harness, org: UUID, stands: Stands
) -> None:
    segment_id, contact_id, membership_id = new_id(), new_id(), new_id()
    made: dict[str, Any] = {"segment_id": str(segment_id), "steps": [WAIT, HELLO]}
    leaves = await published(campaign, org, leaves_with_segment=True, **made)
    stays = await published(campaign, org, name="Stays", **made)
    await published(campaign, org, name="Other", steps=[WAIT], segment_id=str(new_id()))
    shown = (await campaign.client(org).get(f"/v1/sequences/{leaves}")).json()
    assert (shown["segment_id"], shown["leaves_with_segment"]) == (str(segment_id), True)
    entered = membership(SegmentEntered, segment_id, contact_id, membership_id)
    event_id = new_id()
    for _ in range(3):
        await campaign.publish(entered, org=org, sequence=1, event_id=event_id)

    async def both() -> list[Any]:
        found = campaign.spy.of(SequenceStarted, org)
        assert {str(event.data.sequence_id) for event in found} == {leaves, stays}
        return found

    started = {str(event.data.sequence_id): str(event.data.enrolment_id) for event in await eventually(both)}
    await stands(started[leaves], phase="wait", contact_id=str(contact_id))
    left = membership(SegmentLeft, segment_id, contact_id, membership_id)
    await campaign.publish(left, org=org, sequence=2)
    stopped = await campaign.spy.expect(SequenceStopped, lambda event: event.org == org)
    assert (str(stopped.data.enrolment_id), stopped.data.reason) == (started[leaves], "left_segment")
    await stands(started[stays], state="active")
    assert len(campaign.spy.of(SequenceStarted, org)) == 2


async def test_who_has_left_before_the_entry_came_is_not_enrolled(campaign: Harness, org: UUID) -> None:
    segment_id, contact_id, membership_id = new_id(), new_id(), new_id()
    await published(campaign, org, steps=[WAIT], segment_id=str(segment_id))
    await campaign.publish(
        membership(SegmentLeft, segment_id, contact_id, membership_id), org=org, sequence=2
    )
    await campaign.publish(
        membership(SegmentEntered, segment_id, contact_id, membership_id), org=org, sequence=1
    )
    other = new_id()
    await campaign.publish(membership(SegmentEntered, segment_id, other, new_id()), org=org, sequence=1)
    started = await campaign.spy.expect(SequenceStarted, lambda event: event.org == org)
    assert started.data.contact_id == other
    assert len(campaign.spy.of(SequenceStarted, org)) == 1
