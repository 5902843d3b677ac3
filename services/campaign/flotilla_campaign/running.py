"""Enrolments, carried on: every step begins by a timer, in the transaction that enters it in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.campaign import ContactUnsubscribed
from flotilla.store.postgres import Transaction

from flotilla_campaign import consents
from flotilla_campaign.domain.enrolments import Enrolment, EnrolmentState, Phase, Surroundings, begin_step
from flotilla_campaign.domain.sequences import Send
from flotilla_campaign.own import bound, settings
from flotilla_campaign.sending import AUDIENCE, take
from flotilla_campaign.store import campaigns, enrolments, experiments, listening, people, sequences

BOUNCED: Final = "bounced"
STEP_DUE: Final = "step_due"
CAMPAIGN_END: Final = "campaign_end"
SOON: Final = timedelta(seconds=1)
"""How long after an end a campaign is looked at: when many end at once, once for all."""
DEFAULT_ZONE: Final = "UTC"
ACTOR: Final = "service:campaign"
"""Who writes the messages of steps."""

Why = Received[Any] | Cause | None


class StepPayload(msgspec.Struct, frozen=True):
    """What is due; where the enrolment stands elsewhere by then, nothing is."""

    enrolment_id: UUID
    contact_id: UUID
    step: int
    phase: str


class CampaignPayload(msgspec.Struct, frozen=True):
    """Whose people are to be enrolled, or may have come to their end."""

    campaign_id: UUID


async def write(tx: Transaction, enrolment: Enrolment, cause: Why = None) -> Enrolment:
    """Save how it stands, set its timer, and tell of its end."""
    [saved] = await write_all(tx, [(enrolment, cause)])
    return saved


async def write_all(tx: Transaction, stand: Sequence[tuple[Enrolment, Why]]) -> list[Enrolment]:
    """The same for each of these, none of them twice; the results are in their order."""
    if not stand:
        return []
    saved = await enrolments.save_all(tx, [enrolment for enrolment, _ in stand])
    over = [each for each in saved if each.told() is not None]
    if over:
        await listening.end(tx, [(each.organization_id, each.id) for each in over])
    soon = await enrolments.now(tx) + SOON if any(each.campaign_id for each in over) else None
    for each, (_, cause) in zip(saved, stand, strict=True):
        if each.state is EnrolmentState.ACTIVE:
            set_due(tx, each, cause)
        _tell(tx, each, soon, cause)
    return saved


def _tell(tx: Transaction, enrolment: Enrolment, soon: datetime | None, cause: Why) -> None:
    """Of its end, where it has one; its campaign may have come to its own then."""
    fact, org = enrolment.told(), enrolment.organization_id
    if fact is None:
        return
    if enrolment.campaign_id is not None and soon is not None:
        payload = CampaignPayload(enrolment.campaign_id)
        tx.set_timer(CAMPAIGN_END, str(enrolment.campaign_id), soon, payload, org=org, cause=cause)
    tx.emit(fact, org=org, sequence=enrolment.sequence, cause=cause, audience=AUDIENCE)


def set_due(tx: Transaction, enrolment: Enrolment, cause: Why = None) -> None:
    """Have its step begun, or be over, at `due_at`. Timers of what it has left behind fire and find nothing."""
    payload = StepPayload(enrolment.id, enrolment.contact_id, enrolment.step, enrolment.phase)
    key = f"{enrolment.id}:{enrolment.sequence}"
    tx.set_timer(STEP_DUE, key, enrolment.due_at, payload, org=enrolment.organization_id, cause=cause)


async def suppress(tx: Transaction, org: UUID, contact_id: UUID, reason: str, cause: Why = None) -> None:
    """They want no more, or can't be reached: tell it once, and stop what they are in. The caller holds them."""
    await suppress_all(tx, {(org, contact_id): (reason, cause)})


async def suppress_all(tx: Transaction, wanted: Mapping[people.Key, tuple[str, Why]]) -> None:
    """The same for each of these people: why, and what it comes of."""
    if not wanted:
        return
    told = await people.suppress(tx, {key: reason for key, (reason, _) in wanted.items()})
    for (org, contact_id), (reason, cause) in sorted(wanted.items(), key=lambda item: item[0]):
        at = told.get((org, contact_id))
        # Who can't be reached has not said that they want no more.
        if at is not None and reason != BOUNCED:
            fact = ContactUnsubscribed(contact_id=contact_id, reason=reason, unsubscribed_at=at)
            tx.emit(fact, org=org, sequence=1, cause=cause, audience=AUDIENCE)
    now = await enrolments.now(tx)
    stopped = []
    for each in await enrolments.lock(tx, await enrolments.active_of(tx, list(wanted))):
        if each.live:
            reason, cause = wanted[each.organization_id, each.contact_id]
            stopped.append((each.stopped(now, BOUNCED if reason == BOUNCED else "unsubscribed"), cause))
    await write_all(tx, stopped)


async def _fire(tx: Transaction, job: Job) -> None:
    """A step begins, a wait is over, a window opens, or the channel's answer is overdue."""
    due: StepPayload = job.payload
    await people.hold(tx, [(job.org, due.contact_id)])
    found = await enrolments.lock(tx, [(job.org, due.enrolment_id)])
    if not found or found[0].state is not EnrolmentState.ACTIVE:
        return
    enrolment = found[0]
    if (enrolment.step, enrolment.phase) != (due.step, due.phase):
        return
    now = await enrolments.now(tx)
    if enrolment.phase is Phase.ANSWER:
        await enrolments.end_effects(tx, [(job.org, enrolment.request_id(), "failed", "unanswered")])
        await write(tx, enrolment.stopped(now, "unanswered"))
        return
    enrolment = enrolment.went_on(now) if enrolment.phase is Phase.WAIT else enrolment
    await _begin(tx, enrolment, now, job.cause)


async def _begin(tx: Transaction, enrolment: Enrolment, now: datetime, cause: Cause) -> None:
    org = enrolment.organization_id
    # The transaction holds the person: whoever suppresses them waits, or has committed and is seen here.
    if await people.is_suppressed(tx, org, enrolment.contact_id):
        await write(tx, enrolment.stopped(now, "unsubscribed"))
        return
    person = (org, enrolment.contact_id)
    allowed = (await consents.verdicts(tx, {person: enrolment.time_zone}, now))[person]
    if allowed.refused is not None:
        await write(tx, enrolment.stopped(now, allowed.refused))
        return
    campaign_id = enrolment.campaign_id
    if campaign_id is not None and await campaigns.is_paused(tx, org, campaign_id):
        # What it went on to must not be lost; whoever resumes the campaign has it begun.
        await enrolments.save(tx, replace(enrolment, due_at=now))
        return
    plan = await sequences.plan(tx, org, enrolment.sequence_id, enrolment.version)
    zone = ZoneInfo(enrolment.time_zone or await people.zone(tx, org) or DEFAULT_ZONE)
    links = bound(tx.app).links
    winners = {}
    if any(isinstance(step, Send) and step.variants for step in plan.steps):
        winners = await experiments.winners(tx, org, enrolment.sequence_id, enrolment.version)
    around = Surroundings(now, zone, lambda message_id: links.unsubscribe(org, message_id), winners)
    stands, taken = begin_step(enrolment, plan, around)
    if stands.phase is Phase.ANSWER:
        stands = replace(stands, due_at=now + timedelta(seconds=settings(tx.app).answer_seconds))
    await take(tx, enrolment, taken, now, replace(cause, actor=ACTOR), allowed.channels)
    await write(tx, stands)


step_due = TimerKind(STEP_DUE, StepPayload, _fire)
