"""Campaigns, carried on: people are enrolled some at a time, and it is finished when the last has come to their end."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flotilla.bus.declare import Job, TimerKind
from flotilla.events.campaign import CampaignCreated
from flotilla.http import ConflictError
from flotilla.store.postgres import Transaction

from flotilla_campaign.commands import publish
from flotilla_campaign.domain.campaigns import FACTS, Campaign, CampaignState
from flotilla_campaign.domain.enrolments import Enrolment
from flotilla_campaign.domain.sequences import SequenceDraft
from flotilla_campaign.enrolling import Candidate, enrol
from flotilla_campaign.running import CAMPAIGN_END, CampaignPayload, set_due
from flotilla_campaign.sending import AUDIENCE
from flotilla_campaign.store import campaigns as store
from flotilla_campaign.store import enrolments, listening, sequences

CAMPAIGN_DUE: Final = "campaign_due"
MOST_AT_ONCE: Final = 200
"""People that one transaction enrols."""


async def create(
    tx: Transaction, org: UUID, values: Mapping[str, Any], message: Mapping[str, Any] | None
) -> Campaign:
    """Make a draft, over a sequence that there is or one message."""
    now = datetime.now(UTC)
    more = dict(values)
    if message is not None:
        more["sequence_id"] = (await _own_sequence(tx, org, values["name"], message)).id
    made = await store.add(
        tx,
        Campaign(
            organization_id=org,
            id=tx.app.new_id(),
            is_bulk=message is not None,
            created_at=now,
            updated_at=now,
            **more,
        ),
    )
    fact = CampaignCreated(**made.told(0))
    tx.emit(fact, org=org, sequence=made.sequence, audience=AUDIENCE)
    return made


async def _own_sequence(tx: Transaction, org: UUID, name: str, message: Mapping[str, Any]) -> SequenceDraft:
    now = datetime.now(UTC)
    draft = SequenceDraft(
        id=tx.app.new_id(), name=name, steps=[dict(message)], is_bulk=True, created_at=now, updated_at=now
    )
    return await sequences.add(tx, org, draft)


async def change(
    tx: Transaction, campaign: Campaign, values: Mapping[str, Any], message: Mapping[str, Any] | None
) -> Campaign:
    """Change a draft that the transaction holds."""
    campaign.must_be_draft()
    if message is not None:
        draft = await sequences.read(tx, campaign.organization_id, campaign.sequence_id, lock=True)
        assert draft is not None
        await sequences.save(tx, campaign.organization_id, replace(draft, steps=[dict(message)]))
    revised = replace(campaign, **values)
    return campaign if revised == campaign and message is None else await store.save(tx, revised)


async def start(tx: Transaction, campaign: Campaign) -> Campaign:
    """At its time, or at once; ConflictError where its sequence has no version, or its list nobody.

    Replies are heard from here on: the caller has bound the lane.
    """
    org = campaign.organization_id
    scheduled = campaign.scheduled()
    draft = await sequences.read(tx, org, campaign.sequence_id, lock=True)
    assert draft is not None
    if campaign.is_bulk:
        await publish(tx, org, draft)
    elif draft.version == 0:
        raise ConflictError("Its sequence has no version yet: publish one.")
    if campaign.segment_id is None and not await store.count(tx, campaign):
        raise ConflictError("There is nobody on its list: add people.")
    await listening.begin(tx, [(org, campaign.id)])
    saved = await store.save(tx, scheduled)
    now = await enrolments.now(tx)
    if saved.starts_at is not None and saved.starts_at > now:
        set_batch(tx, saved, saved.starts_at)
        return saved
    return await _begin(tx, saved, now)


async def _begin(tx: Transaction, campaign: Campaign, now: datetime) -> Campaign:
    """Its time has come: its segment's people are those who are in it now."""
    if campaign.segment_id is not None and campaign.started_at is None:
        await store.add_segment(tx, campaign)
    running = await _enter(tx, campaign, campaign.started(now))
    set_batch(tx, running, now)
    return running


async def pause(tx: Transaction, campaign: Campaign) -> Campaign:
    """Nobody is enrolled and no step begins until it is resumed; replies and unsubscribing still count."""
    return await _enter(tx, campaign, campaign.paused())


async def resume(tx: Transaction, campaign: Campaign) -> Campaign:
    """Go on; what came due meanwhile is due at once."""
    if campaign.state is not CampaignState.PAUSED:
        campaign.paused()
        return campaign
    now = await enrolments.now(tx)
    if campaign.started_at is None and campaign.starts_at is not None and campaign.starts_at > now:
        saved = await store.save(tx, replace(campaign, state=CampaignState.SCHEDULED))
        set_batch(tx, saved, campaign.starts_at)
        return saved
    running = await _begin(tx, campaign, now)
    for each in await enrolments.held_back(tx, campaign.organization_id, campaign.id):
        set_due(tx, each)
    return running


async def _enter(tx: Transaction, before: Campaign, after: Campaign) -> Campaign:
    """Save its new state, and tell of it."""
    saved = await store.save(tx, after)
    changed = {"state": [before.state.value, saved.state.value]}
    fact = FACTS[saved.state](**saved.told(await store.count(tx, saved)), changed=changed)
    tx.emit(fact, org=saved.organization_id, sequence=saved.sequence, audience=AUDIENCE)
    return saved


def set_batch(tx: Transaction, campaign: Campaign, at: datetime) -> None:
    """Have the next people enrolled then."""
    payload = CampaignPayload(campaign.id)
    tx.set_timer(CAMPAIGN_DUE, str(campaign.id), at, payload, org=campaign.organization_id)


async def _next_batch(tx: Transaction, job: Job) -> None:
    """It starts, or its next people are enrolled."""
    campaign = await store.read(tx, job.org, job.payload.campaign_id, lock=True)
    if campaign is None:
        return
    now = await enrolments.now(tx)
    if campaign.state is CampaignState.SCHEDULED:
        campaign = await _begin(tx, campaign, now)
    if campaign.state is not CampaignState.RUNNING:
        return
    most = min(MOST_AT_ONCE, campaign.people_per_minute)
    people = await store.waiting(tx, campaign, most)
    by_id = {tx.app.new_id(): row for row in people}
    outcome = await enrol(
        tx, [_candidate(job, campaign, id_, row["contact_id"], row) for id_, row in by_id.items()]
    )
    refusals = {row["contact_id"]: _refusal(outcome[id_]) for id_, row in by_id.items()}
    await store.taken(tx, campaign, refusals)
    if len(people) == most:
        set_batch(tx, campaign, now + timedelta(minutes=1) * most / campaign.people_per_minute)
    else:
        await _finish(tx, campaign)


def _candidate(
    job: Job, campaign: Campaign, id_: UUID, contact_id: UUID, row: Mapping[str, Any]
) -> Candidate:
    more = {name: row[name] for name in ("conversation_id", "fields", "time_zone")}
    more["campaign_id"] = campaign.id
    return Candidate(job.org, id_, campaign.sequence_id, contact_id, job.cause, more=more)


def _refusal(outcome: Enrolment | str) -> str | None:
    return outcome if isinstance(outcome, str) else None


async def _end(tx: Transaction, job: Job) -> None:
    """Somebody has come to their end: it may have been the last."""
    campaign = await store.read(tx, job.org, job.payload.campaign_id, lock=True)
    if campaign is not None and campaign.state is CampaignState.RUNNING:
        await _finish(tx, campaign)


async def _finish(tx: Transaction, campaign: Campaign) -> None:
    if await store.busy(tx, campaign):
        return
    finished = await _enter(tx, campaign, campaign.finished(await enrolments.now(tx)))
    await listening.end(tx, [(finished.organization_id, finished.id)])


campaign_due = TimerKind(CAMPAIGN_DUE, CampaignPayload, _next_batch)
campaign_end = TimerKind(CAMPAIGN_END, CampaignPayload, _end)
