"""/v1/pipelines: pipelines and their stages."""

from dataclasses import replace
from typing import Annotated, Final
from uuid import UUID

from fastapi import Request, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME
from flotilla.store.postgres import Transaction
from pydantic import Field, model_validator

from flotilla_pipeline.api.values import Line, Probability, Required, RotsAfter, StageKind
from flotilla_pipeline.commands import AUDIENCE
from flotilla_pipeline.domain.stages import Pipeline, Stage, arrange, revise
from flotilla_pipeline.rotting import watch
from flotilla_pipeline.store import pipelines as store

pipelines = Routes("/v1/pipelines", tag="pipelines")

ORDERS: Final = {**BY_TIME, **BY_NAME}
RequiredFields = Annotated[list[Required], Field(max_length=5)]
MAX_STAGES = 50


class StageIn(Written):
    """A new stage; without a position it is the last one."""

    name: Line
    kind: StageKind = "open"
    probability: Probability
    required_fields: RequiredFields = Field(default_factory=list)
    rots_after_days: RotsAfter | None = None
    position: Annotated[int, Field(ge=1, le=MAX_STAGES)] | None = None

    @model_validator(mode="after")
    def _decided_deals_do_not_rot(self) -> "StageIn":
        if self.rots_after_days is not None and self.kind != "open":
            raise ValueError("only deals of an open stage rot: leave out rots_after_days")
        return self


class StagePatch(Patch):
    """What shall be different; a field that is left out stays."""

    name: Line = ""
    probability: Probability = 0
    required_fields: RequiredFields = Field(default_factory=list)
    rots_after_days: RotsAfter | None = None
    position: Annotated[int, Field(ge=1, le=MAX_STAGES)] = 1
    archived: bool = False


class StageOut(Shown):
    """A stage."""

    id: UUID
    pipeline_id: UUID
    name: str
    kind: StageKind
    position: int
    probability: int
    required_fields: list[str]
    rots_after_days: int | None
    archived: bool


class PipelineIn(Written):
    """A new pipeline with its stages in order."""

    name: Line
    stages: Annotated[list[StageIn], Field(min_length=1, max_length=MAX_STAGES)]


class PipelinePatch(Patch):
    """What shall be different; `is_default` can only be given, it passes from one pipeline to another."""

    name: Line = ""
    is_default: bool = False


class PipelineOut(Shown):
    """A pipeline."""

    id: UUID
    name: str
    is_default: bool


class PipelineWhole(PipelineOut):
    """A pipeline with its stages in order."""

    stages: list[StageOut]


@pipelines.get("", permission="pipelines:read")
async def list_pipelines(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "created_at"
) -> Page[PipelineOut]:
    """The oldest first, or by name."""
    order = ORDERS[sort]
    found = await store.list_pipelines(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([PipelineOut.model_validate(each) for each in found], sort, order)


@pipelines.post("", permission="pipelines:write", status_code=201)
async def create_pipeline(body: PipelineIn, tx: Tx, who: Who, response: Response) -> PipelineWhole:
    """Make a pipeline with its stages; the positions are those of the list."""
    pipeline = Pipeline(id=tx.app.new_id(), name=body.name)
    stages = [
        Stage(
            id=tx.app.new_id(),
            pipeline_id=pipeline.id,
            position=place,
            **given.model_dump(exclude={"position"}),
        )
        for place, given in enumerate(body.stages, 1)
    ]
    await store.add_pipelines(tx, [(who.org, pipeline)], [(who.org, stage) for stage in stages])
    tx.emit(pipeline.created(), org=who.org, sequence=1, audience=AUDIENCE)
    for stage in stages:
        tx.emit(stage.created(), org=who.org, sequence=1, audience=AUDIENCE)
        await watch(tx, who.org, stage)
    set_etag(response, pipeline.sequence)
    response.headers["Location"] = f"/v1/pipelines/{pipeline.id}"
    return _whole(pipeline, stages)


@pipelines.get("/{pipeline_id}", permission="pipelines:read")
async def read_pipeline(pipeline_id: UUID, tx: Tx, who: Who, response: Response) -> PipelineWhole:
    """One pipeline with its stages."""
    pipeline = there(await store.read_pipeline(tx, who.org, pipeline_id))
    set_etag(response, pipeline.sequence)
    return _whole(pipeline, await store.stages_of(tx, who.org, pipeline_id))


@pipelines.patch("/{pipeline_id}", permission="pipelines:write")
async def change_pipeline(
    pipeline_id: UUID, body: PipelinePatch, tx: Tx, who: Who, request: Request, response: Response
) -> PipelineOut:
    """Rename it, or have new leads come into it."""
    # Whoever is the default is held first, always: two that become it at once wait for each other in one order.
    former = await store.default_pipeline(tx, who.org) if body.is_default else None
    pipeline = there(await store.read_pipeline(tx, who.org, pipeline_id, lock=True))
    check_if_match(request, pipeline.sequence)
    wanted = replace(
        pipeline,
        name=body.name if "name" in body.model_fields_set else pipeline.name,
        is_default=body.is_default or pipeline.is_default,
    )
    if wanted != pipeline:
        if former is not None and former.id != pipeline.id:
            await _save(tx, who.org, former, replace(former, is_default=False))
        pipeline = await _save(tx, who.org, pipeline, wanted)
    set_etag(response, pipeline.sequence)
    return PipelineOut.model_validate(pipeline)


@pipelines.post("/{pipeline_id}/stages", permission="pipelines:write", status_code=201)
async def create_stage(pipeline_id: UUID, body: StageIn, tx: Tx, who: Who, response: Response) -> StageOut:
    """Make a stage; those behind its position move back."""
    there(await store.read_pipeline(tx, who.org, pipeline_id, lock=True))
    stages = await store.stages_of(tx, who.org, pipeline_id, lock=True)
    if len(stages) >= MAX_STAGES:
        raise ConflictError(f"A pipeline has at most {MAX_STAGES} stages.")
    given = body.model_dump(exclude={"position"})
    new = Stage(id=tx.app.new_id(), pipeline_id=pipeline_id, position=len(stages) + 1, **given)
    order = arrange([*stages, new], new.id, min(body.position or new.position, new.position))
    (new,) = (stage for stage in order if stage.id == new.id)
    await _save_stages(tx, who.org, stages, order)
    await store.add_stages(tx, [(who.org, new)])
    tx.emit(new.created(), org=who.org, sequence=1, audience=AUDIENCE)
    await watch(tx, who.org, new)
    set_etag(response, new.sequence)
    response.headers["Location"] = f"/v1/pipelines/{pipeline_id}"
    return StageOut.model_validate(new)


@pipelines.patch("/{pipeline_id}/stages/{stage_id}", permission="pipelines:write")
async def change_stage(
    pipeline_id: UUID,
    stage_id: UUID,
    body: StagePatch,
    tx: Tx,
    who: Who,
    request: Request,
    response: Response,
) -> StageOut:
    """Change a stage, move it, archive it once no deal stands in it."""
    there(await store.read_pipeline(tx, who.org, pipeline_id, lock=True))
    stages = await store.stages_of(tx, who.org, pipeline_id, lock=True)
    found = next((stage for stage in stages if stage.id == stage_id), None)
    if found is None:
        raise NotFoundError("There is no stage with this id in this pipeline.")
    check_if_match(request, found.sequence)
    wanted = body.model_dump(include=body.model_fields_set)
    if wanted.get("rots_after_days") is not None and found.kind != "open":
        raise ConflictError("Only deals of an open stage rot; this one decides them.")
    if wanted.get("archived") and await store.has_deals(tx, who.org, stage_id):
        raise ConflictError("Deals stand in this stage; move them first.")
    revised, _ = revise(found, wanted)
    changed = [revised if stage.id == stage_id else stage for stage in stages]
    order = arrange(changed, stage_id, wanted.get("position", found.position))
    saved = await _save_stages(tx, who.org, stages, order)
    stage = saved.get(stage_id, found)
    await watch(tx, who.org, stage)
    set_etag(response, stage.sequence)
    return StageOut.model_validate(stage)


async def _save(tx: Transaction, org: UUID, old: Pipeline, new: Pipeline) -> Pipeline:
    saved = await store.save_pipeline(tx, org, new)
    names = {"name": "name", "is_default": "default"}
    changed = {
        told: [getattr(old, field), getattr(saved, field)]
        for field, told in names.items()
        if getattr(old, field) != getattr(saved, field)
    }
    tx.emit(saved.updated(changed), org=org, sequence=saved.sequence, audience=AUDIENCE)
    return saved


async def _save_stages(tx: Transaction, org: UUID, old: list[Stage], new: list[Stage]) -> dict[UUID, Stage]:
    """Write those that differ, and tell of each."""
    before = {stage.id: stage for stage in old}
    differ = [stage for stage in new if stage.id in before and stage != before[stage.id]]
    saved = await store.save_stages(tx, org, differ) if differ else {}
    fields = ("name", "position", "probability", "required_fields", "rots_after_days", "archived")
    for stage in saved.values():
        changed = {
            field: [getattr(before[stage.id], field), getattr(stage, field)]
            for field in fields
            if getattr(before[stage.id], field) != getattr(stage, field)
        }
        tx.emit(stage.updated(changed), org=org, sequence=stage.sequence, audience=AUDIENCE)
    return saved


def there(pipeline: Pipeline | None) -> Pipeline:
    """The pipeline; a 404 problem where there is none."""
    if pipeline is None:
        raise NotFoundError("There is no pipeline with this id.")
    return pipeline


def _whole(pipeline: Pipeline, stages: list[Stage]) -> PipelineWhole:
    shown = PipelineOut.model_validate(pipeline).model_dump()
    return PipelineWhole(**shown, stages=[StageOut.model_validate(stage) for stage in stages])
