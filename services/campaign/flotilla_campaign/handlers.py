"""Events in: organizations' zones, and messages while somebody is listened for.

Messages may be repeated: an answer finds its step over, a reply its enrolment ended, a suppression stands once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from flotilla.bus.declare import RawEvent, projection, tap
from flotilla.bus.envelope import Received, receive
from flotilla.events import CONTRACTS
from flotilla.events.auth import Organization, OrganizationCreated, OrganizationUpdated
from flotilla.events.base import Event
from flotilla.events.campaign import SequenceStepSent
from flotilla.events.integrations import ChannelMessageFailed
from flotilla.events.messaging import (
    MessageDelivered,
    MessageFailed,
    MessageReceived,
    MessageRefused,
    MessageSent,
    OutgoingMessage,
)
from flotilla.store.postgres import Transaction

from flotilla_campaign import touching
from flotilla_campaign.domain.enrolments import Enrolment, Phase
from flotilla_campaign.domain.opt_out import is_opt_out
from flotilla_campaign.own import LANE
from flotilla_campaign.running import suppress, write
from flotilla_campaign.sending import AUDIENCE
from flotilla_campaign.store import enrolments, listening, people, sends, sequences
from flotilla_campaign.store.enrolments import Key
from flotilla_campaign.store.sends import Send

Heard = Received[Event]
FACTS: Final[Mapping[type[Event], str]] = {
    MessageSent: "sent",
    MessageDelivered: "delivered",
    MessageFailed: "failed",
}


@projection(OrganizationCreated, OrganizationUpdated, lane="directory", tables=("organization_zones",))
async def keep_zones(tx: Transaction, batch: Sequence[Received[Organization]]) -> None:
    """Know the zone of those whose own is not known."""
    await people.keep_zones(tx, batch)


@dataclass(frozen=True, slots=True)
class Reply:
    """A person's message, and what it is to one of their enrolments."""

    enrolment: Key
    contact: Key
    live: bool
    event: Received[MessageReceived]


@tap(LANE, dynamic=True)
async def follow_messages(tx: Transaction, batch: Sequence[RawEvent]) -> None:
    """Go on where the channel answered, stop where the person did."""
    orgs = await listening.heard(tx, {raw.envelope.organizationid for raw in batch})
    heard = [
        receive(raw.envelope, CONTRACTS[raw.envelope.type])
        for raw in batch
        if raw.envelope.organizationid in orgs
    ]
    if not heard:
        return
    answers = {(event.org, request): event for event in heard if (request := _request(event))}
    asked = await enrolments.asked(tx, answers)
    replies = await _replies(tx, [event for event in heard if isinstance(event.data, MessageReceived)])
    # People first, then their enrolments, as everywhere: nobody waits for each other in a circle.
    opted_out = {reply.contact: reply for reply in replies if is_opt_out(reply.event.data.text)}
    bounced = await _bounces(tx, heard)
    gone = {*opted_out, *(_whose(send) for send, _ in bounced)}
    await people.hold(tx, gone)
    await enrolments.lock(tx, await _concerned(tx, asked, replies, gone))
    await sends.reach(tx, [fact for event in heard if (fact := _fact(event)) is not None])
    now = await enrolments.now(tx)
    for key, enrolment_id in asked.items():
        await _take_answer(tx, enrolment_id, key, answers[key], now)
    for (org, contact_id), reply in sorted(opted_out.items(), key=lambda item: item[0]):
        await suppress(tx, org, contact_id, "replied", reply.event)
    for reply in replies:
        await _take_reply(tx, reply, now)
    for send, event in bounced:
        await touching.bounced(tx, send, event)


async def _bounces(
    tx: Transaction, heard: Sequence[Heard]
) -> list[tuple[Send, Received[ChannelMessageFailed]]]:
    """Messages of steps that reached nobody, in one order for all processes."""
    failed = {
        (event.org, event.data.message_id): cast("Received[ChannelMessageFailed]", event)
        for event in heard
        if isinstance(event.data, ChannelMessageFailed) and event.data.permanent
    }
    if not failed:
        return []
    found = await sends.of(tx, failed)
    return [(send, failed[key]) for key, send in sorted(found.items(), key=lambda item: item[0])]


def _whose(send: Send) -> Key:
    return send.organization_id, send.contact_id


def _fact(event: Heard) -> tuple[UUID, UUID, str, datetime] | None:
    """What a message came to, for reports."""
    name = FACTS.get(type(event.data))
    if name is None or not isinstance(event.data, OutgoingMessage):
        return None
    return event.org, event.data.message_id, name, event.data.occurred_at


async def _concerned(
    tx: Transaction, asked: dict[Key, UUID], replies: Sequence[Reply], gone: set[Key]
) -> set[Key]:
    """Every enrolment that this batch may change."""
    theirs = await enrolments.active_of(tx, sorted(gone)) if gone else []
    answered = {(org, enrolment_id) for (org, _), enrolment_id in asked.items()}
    return answered | {reply.enrolment for reply in replies if reply.live} | set(theirs)


async def _replies(tx: Transaction, messages: Sequence[Heard]) -> list[Reply]:
    said: dict[UUID, Received[MessageReceived]] = {}
    for event in messages:
        if isinstance(event.data, MessageReceived):
            said[event.data.message_id] = cast("Received[MessageReceived]", event)
    if not said:
        return []
    texts = [
        (event.org, id_, event.data.conversation_id, event.data.contact_id) for id_, event in said.items()
    ]
    return [
        Reply(
            (row["organization_id"], row["id"]),
            (row["organization_id"], row["contact_id"]),
            row["live"],
            said[row["message_id"]],
        )
        for row in await enrolments.answered_by(tx, texts)
    ]


async def _take_answer(tx: Transaction, enrolment_id: UUID, key: Key, event: Heard, now: datetime) -> None:
    """A step is over, well or ill; a person who was stopped or paused meanwhile stays so."""
    org, request_id = key
    answer = event.data
    sent = isinstance(answer, MessageSent)
    reason = None if sent else str(getattr(event.data, "reason", None) or "no reason given")
    step = await enrolments.end_effect(tx, org, request_id, "done" if sent else "failed", reason)
    enrolment = await enrolments.read(tx, org, enrolment_id)
    if step is None or enrolment is None:
        return
    if isinstance(answer, MessageSent) and enrolment.conversation_id is None:
        enrolment = replace(enrolment, conversation_id=answer.conversation_id)
    saved = await write(tx, _answered(enrolment, step, reason, now), event) if enrolment.live else enrolment
    if sent:
        fact = SequenceStepSent(**saved.what(), step=step, message_id=request_id)
        tx.emit(fact, org=org, sequence=saved.sequence, cause=event, audience=AUDIENCE)


def _answered(enrolment: Enrolment, step: int, reason: str | None, now: datetime) -> Enrolment:
    if (enrolment.step, enrolment.phase) != (step, Phase.ANSWER):
        return enrolment
    return enrolment.went_on(now) if reason is None else enrolment.stopped(now, f"refused: {reason}")


async def _take_reply(tx: Transaction, reply: Reply, now: datetime) -> None:
    enrolment = await enrolments.read(tx, *reply.enrolment) if reply.live else None
    # What was written before they were enrolled, and came late, answers nothing.
    if enrolment is None or not enrolment.live or reply.event.envelope.time < enrolment.started_at:
        return
    await sends.replied(tx, enrolment.organization_id, enrolment.id, reply.event.envelope.time)
    plan = await sequences.plan(tx, enrolment.organization_id, enrolment.sequence_id, enrolment.version)
    if plan.stop_on_reply:
        await write(tx, enrolment.stopped(now, "replied"), reply.event)
    elif enrolment.replied_at is None:
        await write(tx, replace(enrolment, replied_at=now), reply.event)


def _request(event: Heard) -> UUID | None:
    """The wish that an event may answer."""
    if isinstance(event.data, MessageSent | MessageFailed):
        return event.data.message_id
    return event.data.request_id if isinstance(event.data, MessageRefused) else None
