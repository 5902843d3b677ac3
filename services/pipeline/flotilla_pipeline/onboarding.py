"""The pipeline that a new organization begins with, made and taken back as its onboarding asks."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.pipeline import (
    PipelineDeleted,
    PipelineDeleteFailed,
    PipelineDeleteRequested,
    PipelineFailed,
    PipelineRequested,
)
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_pipeline.commands import AUDIENCE
from flotilla_pipeline.domain.stages import DEFAULT_NAME, DEFAULT_STAGES, Pipeline, Stage
from flotilla_pipeline.handlers import DEFAULT_PIPELINE
from flotilla_pipeline.store import pipelines, removal

Wish = Received[PipelineRequested]


@reaction(PipelineRequested, lane="directory")
async def begin_pipelines(tx: Transaction, batch: Sequence[Wish]) -> None:
    """Give each new organization a pipeline to begin with; one that has it already is told of it again."""
    granted, cancelled = await wishes.take(tx, batch)
    for event in cancelled:
        failed = PipelineFailed(request_id=event.data.request_id, reason="cancelled")
        tx.emit(failed, org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)
    have = await pipelines.with_default(tx, [event.org for event in granted])
    new = {event.org: event for event in granted if event.org not in have}
    await _make(tx, new)
    # Only where an onboarding that had failed is tried again: hardly ever, and one at a time.
    for event in granted:
        if new.get(event.org) is not event:
            there = await pipelines.default_pipeline(tx, event.org)
            assert there is not None
            told = await pipelines.save_pipeline(tx, event.org, there)
            tx.emit(
                told.created(),
                org=event.org,
                sequence=told.sequence,
                cause=_answer(event),
                audience=AUDIENCE,
            )


async def _make(tx: Transaction, wanted: dict[UUID, Wish]) -> None:
    if not wanted:
        return
    made = {
        org: Pipeline(id=wanted[org].data.request_id, name=DEFAULT_NAME, is_default=True)
        for org in sorted(wanted)
    }
    stages = [(org, stage) for org, pipeline in made.items() for stage in _stages(tx, pipeline.id)]
    await pipelines.add_pipelines(tx, list(made.items()), stages)
    for org, pipeline in made.items():
        cause = _answer(wanted[org])
        tx.emit(pipeline.created(), org=org, sequence=1, cause=cause, audience=AUDIENCE)
    for org, stage in stages:
        cause = replace(wanted[org].cause, request_id=None)
        tx.emit(stage.created(), org=org, sequence=1, cause=cause, audience=AUDIENCE)
    await tx.arrived(DEFAULT_PIPELINE, list(made))


@reaction(PipelineDeleteRequested, lane="directory")
async def take_back_pipelines(tx: Transaction, batch: Sequence[Received[PipelineDeleteRequested]]) -> None:
    """Remove pipelines without deals; those to come are refused when they do."""
    await wishes.cancel(tx, batch)
    ends = await removal.remove(tx, [(event.org, event.data.cancels) for event in batch])
    for event in batch:
        wish, sequence = event.data, ends[event.org, event.data.cancels]
        if sequence is None:
            failed = PipelineDeleteFailed(request_id=wish.request_id, cancels=wish.cancels, reason="in_use")
            tx.emit(failed, org=event.org, sequence=1, cause=_answer(event), audience=AUDIENCE)
            continue
        gone = PipelineDeleted(pipeline_id=wish.cancels, request_id=wish.request_id, reason=wish.reason)
        tx.emit(gone, org=event.org, sequence=sequence, cause=_answer(event), audience=AUDIENCE)


def _stages(tx: Transaction, pipeline_id: UUID) -> list[Stage]:
    return [
        Stage(
            id=tx.app.new_id(),
            pipeline_id=pipeline_id,
            name=name,
            kind=kind,
            position=place,
            probability=odds,
        )
        for place, (name, kind, odds) in enumerate(DEFAULT_STAGES, 1)
    ]


def _answer(event: Wish | Received[PipelineDeleteRequested]) -> Cause:
    """What an answer goes back to: its wish, by the request that the wish carries."""
    return replace(event.cause, request_id=event.data.request_id)
