"""/v1/sequences."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.bus.connection import BROKER_ERRORS
from flotilla.http import (
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnavailableError,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.sorting import ByTime, ByTimeOrName, Several
from flotilla.store.order import BY_NAME, BY_TIME

from flotilla_campaign import commands
from flotilla_campaign.api.results import ExperimentOut, ResultOut
from flotilla_campaign.api.schemas import (
    EnrolmentIn,
    EnrolmentOut,
    SequenceIn,
    SequenceOut,
    SequencePatch,
)
from flotilla_campaign.domain.enrolments import EnrolmentState
from flotilla_campaign.domain.sequences import InvalidSequenceError, SequenceDraft, SequenceState, read_steps
from flotilla_campaign.own import bound
from flotilla_campaign.store import enrolments, experiments, results
from flotilla_campaign.store import sequences as store

routes = Routes("/v1/sequences", tag="campaigns")
ORDERS = {**BY_TIME, **BY_NAME}


@routes.get("", permission="campaigns:read")
async def list_sequences(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "created_at"
) -> Page[SequenceOut]:
    """Sequences, the oldest first, or in the order of `sort`."""
    order = ORDERS[sort]
    found = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([SequenceOut.of(each) for each in found], sort, order)


@routes.post("", permission="campaigns:write", status_code=201, feature="campaigns")
async def create_sequence(wanted: SequenceIn, tx: Tx, who: Who, response: Response) -> SequenceOut:
    """Write a sequence. Publish a version of it before anybody is enrolled."""
    _check(wanted.steps)
    made = await commands.create(tx, who.org, wanted.model_dump())
    response.headers["Location"] = f"/v1/sequences/{made.id}"
    return _shown(made, response)


@routes.get("/{sequence_id}", permission="campaigns:read")
async def read_sequence(sequence_id: UUID, tx: Tx, who: Who, response: Response) -> SequenceOut:
    """One sequence."""
    return _shown(_there(await store.read(tx, who.org, sequence_id)), response)


@routes.patch("/{sequence_id}", permission="campaigns:write")
async def change_sequence(
    sequence_id: UUID, wanted: SequencePatch, request: Request, tx: Tx, who: Who, response: Response
) -> SequenceOut:
    """Change what the next version will say; who is enrolled stays on theirs."""
    values = wanted.model_dump(include=wanted.model_fields_set)
    draft = _there(await store.read(tx, who.org, sequence_id, lock=True))
    check_if_match(request, draft.sequence)
    if "steps" in values:
        _check(values["steps"])
    changed = _shown(await commands.change(tx, who.org, draft, values), response)
    note_change(SequenceOut.of(draft), changed)
    return changed


@routes.delete("/{sequence_id}", permission="campaigns:write", status_code=204)
async def delete_sequence(sequence_id: UUID, request: Request, tx: Tx, who: Who) -> Response:
    """Delete a sequence. Who is enrolled goes on to the end; stop those who shall not."""
    draft = _there(await store.read(tx, who.org, sequence_id, lock=True))
    check_if_match(request, draft.sequence)
    await commands.delete(tx, who.org, draft)
    note_change(SequenceOut.of(draft), None)
    return Response(status_code=204)


@routes.post("/{sequence_id}/versions", permission="campaigns:write", status_code=201, feature="campaigns")
async def publish_sequence_version(
    sequence_id: UUID, request: Request, tx: Tx, who: Who, response: Response
) -> SequenceOut:
    """Publish the present steps as the next version; people are enrolled in it from here on."""
    draft = _there(await store.read(tx, who.org, sequence_id, lock=True))
    check_if_match(request, draft.sequence)
    published = _shown(await commands.publish(tx, who.org, draft), response)
    note_change(SequenceOut.of(draft), published)
    return published


@routes.post("/{sequence_id}/enrolments", permission="campaigns:write", status_code=201, feature="campaigns")
async def enrol(sequence_id: UUID, wanted: EnrolmentIn, work: Work, response: Response) -> EnrolmentOut:
    """Enrol a person. They are in a sequence once at a time; their messages are heard from before this is answered."""
    async with work.app.db.transaction(work.who.orgs) as reading:
        _there(await store.read(reading, work.who.org, sequence_id))
    try:
        # Before the commit: no reply shall be missed after it.
        await bound(work.app).bind()
    except BROKER_ERRORS:
        raise UnavailableError(
            "The broker is away; repeat the request.", headers={"Retry-After": "2"}
        ) from None
    tx = await work.begin()
    draft = _there(await store.read(tx, work.who.org, sequence_id, lock=True))
    enrolment = await commands.enrol(tx, work.who.org, draft.id, wanted.model_dump())
    response.headers["Location"] = f"/v1/enrolments/{enrolment.id}"
    return EnrolmentOut.of(enrolment)


@routes.get("/{sequence_id}/enrolments", permission="campaigns:read")
async def list_enrolments(
    sequence_id: UUID,
    tx: Tx,
    who: Who,
    query: PageQuery,
    state: Several[EnrolmentState] = None,
    sort: ByTime = "-created_at",
) -> Page[EnrolmentOut]:
    """Who is or was in a sequence, the newest first."""
    if await store.read(tx, who.org, sequence_id) is None:
        raise NotFoundError("There is no sequence with this id.")
    order, filters = BY_TIME[sort], {"sequence_id": sequence_id, "state": state}
    after = query.place(sort, order)
    found = await enrolments.listing(tx, who.org, filters, order, after, query.limit + 1)
    return query.page([EnrolmentOut.of(each) for each in found], sort, order)


@routes.get("/{sequence_id}/results", permission="campaigns:read")
async def read_sequence_results(
    sequence_id: UUID, tx: Tx, who: Who, version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> list[ResultOut]:
    """What came of the messages of a version, the newest without one named, by step and variant."""
    draft = _there(await store.read(tx, who.org, sequence_id))
    rows = await results.of_version(tx, who.org, sequence_id, version or draft.version)
    return [ResultOut(**dict(row)) for row in rows]


@routes.get("/{sequence_id}/experiments", permission="campaigns:read")
async def list_experiments(sequence_id: UUID, tx: Tx, who: Who) -> list[ExperimentOut]:
    """Which texts are compared, and what was decided; of the newest version first, at most 200."""
    _there(await store.read(tx, who.org, sequence_id))
    return [ExperimentOut(**dict(row)) for row in await experiments.of_sequence(tx, who.org, sequence_id)]


def _check(steps: list[dict[str, Any]]) -> None:
    """A 422 problem that points at each mistake."""
    try:
        read_steps(steps)
    except InvalidSequenceError as error:
        raise UnprocessableError("Correct the values named in `errors`.", errors=error.mistakes) from None


def _there(draft: SequenceDraft | None) -> SequenceDraft:
    if draft is None or draft.state is SequenceState.DELETED or draft.is_bulk:
        raise NotFoundError("There is no sequence with this id.")
    return draft


def _shown(draft: SequenceDraft, response: Response) -> SequenceOut:
    set_etag(response, draft.sequence)
    return SequenceOut.of(draft)
