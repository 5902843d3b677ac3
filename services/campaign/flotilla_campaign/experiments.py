"""Experiments, carried on: the numbers are looked at by a timer, until they decide or are enough."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.cause import Cause
from flotilla.events.campaign import ExperimentArm, ExperimentDecided
from flotilla.store.postgres import Row, Transaction

from flotilla_campaign.domain.experiments import NAMES, Arm, Verdict, look, looks_due
from flotilla_campaign.domain.sequences import Experiment, Send, SequenceDraft, read_steps
from flotilla_campaign.own import settings
from flotilla_campaign.sending import AUDIENCE
from flotilla_campaign.store import enrolments, sequences
from flotilla_campaign.store import experiments as store

EXPERIMENT_DUE: Final = "experiment_due"
ACTOR: Final = "service:campaign"
LONGEST: Final = timedelta(days=365)


class ExperimentPayload(msgspec.Struct, frozen=True):
    """Which is to be looked at."""

    experiment_id: UUID


async def begin(tx: Transaction, org: UUID, published: SequenceDraft) -> None:
    """Begin one for each step of the version that has several texts."""
    for place, step in enumerate(read_steps(published.steps)):
        if isinstance(step, Send) and step.variants:
            id_ = tx.app.new_id()
            wanted = step.experiment or Experiment()
            await store.add(tx, org, id_, (published.id, published.version, place), wanted)
            await _again(tx, org, id_)


async def _again(tx: Transaction, org: UUID, id_: UUID) -> None:
    at = await enrolments.now(tx) + timedelta(seconds=settings(tx.app).experiment_seconds)
    cause = Cause.fresh(ACTOR)
    tx.set_timer(EXPERIMENT_DUE, str(id_), at, ExperimentPayload(id_), org=org, cause=cause)


async def _fire(tx: Transaction, job: Job) -> None:
    """Look, where there is enough to look at."""
    row = await store.lock(tx, job.org, job.payload.experiment_id)
    if row is None or row["decided_at"] is not None:
        return
    arms = await store.arms(tx, job.org, row, await _names(tx, job.org, row), _settled(tx))
    due = looks_due(arms, row["least"])
    verdict = look(arms, row["confidence"], due) if due > row["looks"] else None
    if verdict is not None:
        await _decide(tx, job.org, row, arms, due, verdict)
        return
    if due > row["looks"]:
        await store.looked(tx, job.org, row["id"], due, None, over=False)
    if await enrolments.now(tx) - row["begun_at"] < LONGEST:
        await _again(tx, job.org, row["id"])


def _settled(tx: Transaction) -> float:
    return settings(tx.app).experiment_settle_seconds


async def _names(tx: Transaction, org: UUID, row: Row) -> str:
    plan = await sequences.plan(tx, org, row["sequence_id"], row["version"])
    step = plan.steps[row["step"]]
    assert isinstance(step, Send)
    return NAMES[: 1 + len(step.variants)]


async def _decide(
    tx: Transaction, org: UUID, row: Row, arms: list[Arm], looks: int, verdict: Verdict
) -> None:
    """Once: every message from here on has the text that won."""
    saved = await store.looked(tx, org, row["id"], looks, verdict.winner, over=True)
    if saved is None:
        return
    fact = ExperimentDecided(
        experiment_id=row["id"],
        sequence_id=row["sequence_id"],
        version=row["version"],
        step=row["step"],
        metric=row["metric"],
        confidence=row["confidence"],
        winner=verdict.winner,
        p_value=verdict.p_value,
        arms=[ExperimentArm(variant=arm.variant, sent=arm.sent, converted=arm.converted) for arm in arms],
        decided_at=saved["decided_at"],
    )
    tx.emit(fact, org=org, sequence=saved["sequence"], audience=AUDIENCE)


experiment_due = TimerKind(EXPERIMENT_DUE, ExperimentPayload, _fire)
