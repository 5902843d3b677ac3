"""The pipeline that an organization's onboarding asks for and takes back, in whatever order the wishes come."""

from typing import Any
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events.pipeline import (
    PipelineCreated,
    PipelineDeleted,
    PipelineDeleteFailed,
    PipelineDeleteRequested,
    PipelineFailed,
    PipelineRequested,
    StageCreated,
)
from flotilla.ids import new_id
from flotilla.testing import Harness

from services.pipeline.tests.conftest import a_deal

Wish = PipelineRequested | PipelineDeleteRequested


async def _ask(pipeline: Harness, org: UUID, wish: Wish) -> None:
    cause = Cause(correlation_id=new_id(), request_id=wish.request_id, actor="service:auth")
    await pipeline.publish(wish, org=org, sequence=1, cause=cause)


async def _answer(pipeline: Harness, wish: Wish, type_: Any) -> Any:
    return await pipeline.spy.expect(type_, lambda event: event.envelope.requestid == wish.request_id)


def _wished() -> PipelineRequested:
    return PipelineRequested(request_id=new_id())


def _back(wish: PipelineRequested) -> PipelineDeleteRequested:
    return PipelineDeleteRequested(
        request_id=new_id(), cancels=wish.request_id, reason="inbox: no answer in time"
    )


async def _listed(pipeline: Harness, org: UUID) -> list[str]:
    return [each["id"] for each in (await pipeline.client(org).get("/v1/pipelines")).json()["items"]]


async def test_a_pipeline_is_made_and_taken_back(pipeline: Harness, org: UUID) -> None:
    wish = _wished()
    await _ask(pipeline, org, wish)
    made = await _answer(pipeline, wish, PipelineCreated)
    assert (made.data.pipeline_id, made.data.default) == (wish.request_id, True)
    stage = await pipeline.spy.expect(StageCreated, lambda event: event.org == org)
    assert stage.envelope.requestid is None
    assert await _listed(pipeline, org) == [str(wish.request_id)]
    back = _back(wish)

    await _ask(pipeline, org, back)

    gone = await _answer(pipeline, back, PipelineDeleted)
    assert (gone.data.pipeline_id, gone.sequence) == (wish.request_id, 2)
    assert await _listed(pipeline, org) == []
    again = _wished()
    await _ask(pipeline, org, again)
    await _answer(pipeline, again, PipelineCreated)
    assert await _listed(pipeline, org) == [str(again.request_id)]


async def test_a_wish_that_was_taken_back_before_it_came_is_refused(pipeline: Harness, org: UUID) -> None:
    wish = _wished()
    back = _back(wish)
    await _ask(pipeline, org, back)
    assert (await _answer(pipeline, back, PipelineDeleted)).sequence == 1

    await _ask(pipeline, org, wish)

    assert (await _answer(pipeline, wish, PipelineFailed)).data.reason == "cancelled"
    assert await _listed(pipeline, org) == []


async def test_a_pipeline_with_deals_stays(pipeline: Harness, org: UUID) -> None:
    wish = _wished()
    await _ask(pipeline, org, wish)
    await _answer(pipeline, wish, PipelineCreated)
    await a_deal(pipeline, org)
    back = _back(wish)

    await _ask(pipeline, org, back)

    assert (await _answer(pipeline, back, PipelineDeleteFailed)).data.reason == "in_use"
    assert await _listed(pipeline, org) == [str(wish.request_id)]


async def test_the_pipeline_that_is_there_answers(pipeline: Harness, org: UUID) -> None:
    first, second = _wished(), _wished()
    await _ask(pipeline, org, first)
    await _answer(pipeline, first, PipelineCreated)
    await _ask(pipeline, org, first)
    await _ask(pipeline, org, second)

    told = await _answer(pipeline, second, PipelineCreated)

    assert (told.data.pipeline_id, told.sequence) == (first.request_id, 2)
    assert len(pipeline.spy.of(PipelineCreated, org)) == 2
