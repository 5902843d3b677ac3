"""Steps of enrolments, begun by their timers: all that come due together, in the transaction that enters them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.consent.rules import Verdict
from flotilla.store.postgres import Transaction

from flotilla_campaign import consents
from flotilla_campaign.domain.enrolments import Enrolment, EnrolmentState, Phase, Surroundings, begin_step
from flotilla_campaign.domain.sequences import Send
from flotilla_campaign.own import bound, settings
from flotilla_campaign.running import STEP_DUE, StepPayload, write_all
from flotilla_campaign.sending import Step, take
from flotilla_campaign.store import campaigns, enrolments, experiments, people, sequences

DEFAULT_ZONE: Final = "UTC"
ACTOR: Final = "service:campaign"
"""Who writes the messages of steps."""

Due = tuple[Enrolment, Cause]
Person = people.Key


async def _fire(tx: Transaction, jobs: Sequence[Job]) -> None:
    """Steps begin, waits are over, windows open, or channels' answers are overdue."""
    # The people first: whoever suppresses one waits, or has committed and is seen below.
    await people.hold(tx, [(job.org, job.payload.contact_id) for job in jobs])
    keys = {(job.org, job.payload.enrolment_id) for job in jobs}
    held = {(each.organization_id, each.id): each for each in await enrolments.lock(tx, keys)}
    due: dict[people.Key, Due] = {}
    for job in jobs:
        key, payload = (job.org, job.payload.enrolment_id), job.payload
        each = held.get(key)
        if each is None or each.state is not EnrolmentState.ACTIVE:
            continue
        if (each.step, each.phase) == (payload.step, payload.phase):
            due[key] = (each, job.cause)
    now = await enrolments.now(tx)
    await _give_up(tx, [(each, cause) for each, cause in due.values() if each.phase is Phase.ANSWER], now)
    going = [
        (each.went_on(now) if each.phase is Phase.WAIT else each, cause)
        for each, cause in due.values()
        if each.phase is not Phase.ANSWER
    ]
    for turn in _turns(going):
        await _begin(tx, turn, now)


def _turns(due: Iterable[Due]) -> list[dict[Person, Due]]:
    """So that nobody comes twice in one: mostly a single turn, for few are in two sequences at the same moment."""
    turns: list[dict[Person, Due]] = []
    for enrolment, cause in due:
        person = (enrolment.organization_id, enrolment.contact_id)
        turn = next((turn for turn in turns if person not in turn), None)
        if turn is None:
            turns.append(turn := {})
        turn[person] = (enrolment, cause)
    return turns


async def _give_up(tx: Transaction, overdue: Sequence[Due], now: datetime) -> None:
    """Nobody has said what became of these messages."""
    if overdue:
        ends = [(each.organization_id, each.request_id(), "failed", "unanswered") for each, _ in overdue]
        await enrolments.end_effects(tx, ends)
        await write_all(tx, [(each.stopped(now, "unanswered"), cause) for each, cause in overdue])


async def _begin(tx: Transaction, due: Mapping[Person, Due], now: datetime) -> None:
    suppressed = await people.suppressed(tx, due)
    verdicts = await consents.verdicts(tx, {key: each.time_zone for key, (each, _) in due.items()}, now)
    refused: list[Due] = []
    allowed: dict[Person, Due] = {}
    for person, (each, cause) in due.items():
        reason = "unsubscribed" if person in suppressed else verdicts[person].refused
        if reason is None:
            allowed[person] = (each, cause)
        else:
            refused.append((each.stopped(now, reason), cause))
    going = await _not_held_back(tx, allowed, now)
    await write_all(tx, refused + await _stepped(tx, going, verdicts, now))


async def _not_held_back(tx: Transaction, due: Mapping[Person, Due], now: datetime) -> dict[Person, Due]:
    """Those whose campaigns are not paused. What the others went on to is not lost: who resumes one has it begun."""
    of = {
        person: (each.organization_id, each.campaign_id)
        for person, (each, _) in due.items()
        if each.campaign_id is not None
    }
    paused = await campaigns.paused(tx, of.values())
    waiting = {person for person, campaign in of.items() if campaign in paused}
    if waiting:
        await enrolments.save_all(tx, [replace(due[person][0], due_at=now) for person in waiting])
    return {person: each for person, each in due.items() if person not in waiting}


async def _stepped(
    tx: Transaction, due: Mapping[Person, Due], verdicts: Mapping[Person, Verdict], now: datetime
) -> list[Due]:
    """Take their steps: how each stands then."""
    if not due:
        return []
    plans = await sequences.plans(tx, [each.of_version() for each, _ in due.values()])
    zones = await people.zones(tx, {org for (org, _), (each, _) in due.items() if not each.time_zone})
    tried = [
        version
        for version, plan in plans.items()
        if any(isinstance(s, Send) and s.variants for s in plan.steps)
    ]
    winners = await experiments.winners(tx, tried)
    links, patience = bound(tx.app).links, timedelta(seconds=settings(tx.app).answer_seconds)
    stand: list[Due] = []
    steps: list[Step] = []
    for person, (each, cause) in due.items():
        org, version = each.organization_id, each.of_version()
        around = Surroundings(
            now,
            ZoneInfo(each.time_zone or zones.get(org) or DEFAULT_ZONE),
            partial(links.unsubscribe, org),
            winners.get(version, {}),
        )
        stands, taken = begin_step(each, plans[version], around)
        if stands.phase is Phase.ANSWER:
            stands = replace(stands, due_at=now + patience)
        stand.append((stands, cause))
        written_by = replace(cause, actor=ACTOR)
        steps += [Step(each, step, now, written_by, verdicts[person].channels) for step in taken]
    await take(tx, steps)
    return stand


step_due = TimerKind(STEP_DUE, StepPayload, fire_all=_fire)
