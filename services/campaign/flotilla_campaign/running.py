"""Enrolments, as they come to stand: saved, with the timer of what is due next; told of at their end."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.campaign import ContactUnsubscribed
from flotilla.store.postgres import Transaction

from flotilla_campaign.domain.enrolments import Enrolment, EnrolmentState
from flotilla_campaign.sending import AUDIENCE
from flotilla_campaign.store import enrolments, listening, people

BOUNCED: Final = "bounced"
STEP_DUE: Final = "step_due"
CAMPAIGN_END: Final = "campaign_end"
SOON: Final = timedelta(seconds=1)
"""How long after an end a campaign is looked at: when many end at once, once for all."""

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
