"""Events in: organizations' zones, and messages while somebody is listened for.

Messages may be repeated: an answer finds its step over, a reply its enrolment ended, a suppression stands once.
"""

from collections import Counter
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
from flotilla_campaign.running import suppress_all, write_all
from flotilla_campaign.sending import AUDIENCE
from flotilla_campaign.store import enrolments, listening, people, sends, sequences
from flotilla_campaign.store.enrolments import Key
from flotilla_campaign.store.sends import Send
from flotilla_campaign.store.sequences import Version

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
    for apart in _apart(asked):
        await _take_answers(tx, apart, answers, now)
    await suppress_all(tx, {key: ("replied", reply.event) for key, reply in opted_out.items()})
    await _take_replies(tx, [reply for reply in replies if reply.live], now)
    await touching.bounced(tx, bounced)


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


def _apart(asked: Mapping[Key, UUID]) -> list[dict[Key, UUID]]:
    """Parted so that no enrolment is in one twice: each of its answers moves it on."""
    parts: list[dict[Key, UUID]] = []
    times: Counter[Key] = Counter()
    for (org, request_id), enrolment_id in asked.items():
        place = times[org, enrolment_id]
        times[org, enrolment_id] += 1
        if place == len(parts):
            parts.append({})
        parts[place][org, request_id] = enrolment_id
    return parts


async def _take_answers(
    tx: Transaction, asked: Mapping[Key, UUID], answers: Mapping[Key, Heard], now: datetime
) -> None:
    """Steps are over, well or ill; people who were stopped or paused meanwhile stay so."""
    reasons = {key: _refusal(answers[key]) for key in asked}
    ends = [(*key, "done" if why is None else "failed", why) for key, why in sorted(reasons.items())]
    steps = await enrolments.end_effects(tx, ends)
    stood = await enrolments.standing(tx, ((org, asked[org, request]) for org, request in steps))
    stand: dict[Key, Enrolment] = {}
    for key, step in steps.items():
        enrolment = stood.get((key[0], asked[key]))
        if enrolment is not None:
            stand[key] = _moved(enrolment, answers[key].data, step, reasons[key], now)
    live = [key for key in stand if stood[key[0], asked[key]].live]
    saved = await write_all(tx, [(stand[key], answers[key]) for key in live])
    stand |= dict(zip(live, saved, strict=True))
    for key, enrolment in stand.items():
        if reasons[key] is None:
            fact = SequenceStepSent(**enrolment.what(), step=steps[key], message_id=key[1])
            tx.emit(fact, org=key[0], sequence=enrolment.sequence, cause=answers[key], audience=AUDIENCE)


def _refusal(answer: Heard) -> str | None:
    """Why it was not sent; none where it was."""
    if isinstance(answer.data, MessageSent):
        return None
    return str(getattr(answer.data, "reason", None) or "no reason given")


def _moved(enrolment: Enrolment, answer: Event, step: int, reason: str | None, now: datetime) -> Enrolment:
    """How it stands after the answer to one of its steps."""
    if isinstance(answer, MessageSent) and enrolment.conversation_id is None:
        enrolment = replace(enrolment, conversation_id=answer.conversation_id)
    return _answered(enrolment, step, reason, now) if enrolment.live else enrolment


def _answered(enrolment: Enrolment, step: int, reason: str | None, now: datetime) -> Enrolment:
    if (enrolment.step, enrolment.phase) != (step, Phase.ANSWER):
        return enrolment
    return enrolment.went_on(now) if reason is None else enrolment.stopped(now, f"refused: {reason}")


async def _take_replies(tx: Transaction, replies: Sequence[Reply], now: datetime) -> None:
    """Enrolments that were answered: each reply finds what the one before it left."""
    stand = await enrolments.standing(tx, (reply.enrolment for reply in replies)) if replies else {}
    # What was written before they were enrolled, and came late, answers nothing.
    timely = [
        reply
        for reply in replies
        if reply.enrolment in stand and reply.event.envelope.time >= stand[reply.enrolment].started_at
    ]
    if not timely:
        return
    plans = await sequences.plans(tx, {_version(stand[reply.enrolment]) for reply in timely})
    took: list[Reply] = []
    written: dict[Key, Reply] = {}
    for reply in timely:
        enrolment = stand[reply.enrolment]
        if not enrolment.live:
            continue
        took.append(reply)
        if plans[_version(enrolment)].stop_on_reply:
            stand[reply.enrolment] = enrolment.stopped(now, "replied")
        elif enrolment.replied_at is None:
            stand[reply.enrolment] = replace(enrolment, replied_at=now)
        else:
            continue
        written[reply.enrolment] = reply
    if took:
        await sends.replied(tx, [(*reply.enrolment, reply.event.envelope.time) for reply in took])
    await write_all(tx, [(stand[key], reply.event) for key, reply in written.items()])


def _version(enrolment: Enrolment) -> Version:
    return enrolment.organization_id, enrolment.sequence_id, enrolment.version


def _request(event: Heard) -> UUID | None:
    """The wish that an event may answer."""
    if isinstance(event.data, MessageSent | MessageFailed):
        return event.data.message_id
    return event.data.request_id if isinstance(event.data, MessageRefused) else None
