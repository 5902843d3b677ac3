"""/v1/segments: saved conditions over contacts, and who fits them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request, Response
from flotilla.http import (
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    check_if_match,
    note_change,
    set_etag,
)
from flotilla.http.bodies import Patch, Shown, Written
from flotilla.http.sorting import ByTime, ByTimeOrName
from flotilla.store.order import BY_NAME, BY_TIME, Order, both
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime, Field

from flotilla_crm import segments as commands
from flotilla_crm.api.contacts import ContactOut
from flotilla_crm.api.values import Name
from flotilla_crm.domain import conditions
from flotilla_crm.domain.segments import Segment
from flotilla_crm.store import segments as store

segments = Routes("/v1/segments", tag="segments")
ORDERS = {**BY_TIME, **BY_NAME}
MEMBERS = both("created_at", Order(("m.contact_id",), (UUID,), key=lambda contact: (contact.id,)))
COUNTED: int = 10_000
EXAMPLE: dict[str, Any] = {"field": "tags", "operator": "contains", "value": "vip"}
WORDS = """`{"field": "tags", "operator": "contains", "value": "vip"}`, or `{"all": […]}`, `{"any": […]}`,
`{"not": …}` of conditions. Fields: name, email, phone, language, source, tags, owner_id, company_id, created_at,
company.name, company.domain, company.tags, lead.status, `custom.<name>` and `consent.<purpose>.<channel>`."""
ConditionIn = Annotated[dict[str, Any], Field(description=WORDS, examples=[EXAMPLE])]


class SegmentIn(Written):
    """A new segment."""

    name: Name
    condition: ConditionIn


class SegmentPatch(Patch):
    """What shall differ."""

    name: Name = ""
    condition: ConditionIn = Field(default_factory=dict)


class PreviewIn(Written):
    """A condition to be tried."""

    condition: ConditionIn


class PreviewOut(Shown):
    """How many contacts fit now."""

    contacts: int
    at_least: bool = Field(description=f"There are more: {COUNTED} are counted.")


class SegmentOut(Shown):
    """A segment."""

    id: UUID
    name: str
    condition: dict[str, Any]
    created_at: AwareDatetime
    updated_at: AwareDatetime


class SegmentDetailOut(SegmentOut):
    """A segment and how many are in it."""

    members: int
    filling: bool = Field(
        description="Some contacts have not been looked at since its condition was written."
    )


@segments.get("", permission="contacts:read")
async def list_segments(
    tx: Tx, who: Who, query: PageQuery, sort: ByTimeOrName = "-created_at"
) -> Page[SegmentOut]:
    """The newest first, or in the order of `sort`."""
    order = ORDERS[sort]
    found = await store.listing(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([SegmentOut.model_validate(each) for each in found], sort, order)


@segments.post("", permission="contacts:write", status_code=201)
async def create_segment(body: SegmentIn, tx: Tx, who: Who, response: Response) -> SegmentOut:
    """Save a condition. Who fits it enters within seconds, each told of by `segment.entered.v1`."""
    _checked(body.condition)
    now = datetime.now(UTC)
    draft = Segment(
        id=tx.app.new_id(), name=body.name, condition=body.condition, created_at=now, updated_at=now
    )
    segment = await commands.create(tx, who.org, draft)
    set_etag(response, segment.sequence)
    response.headers["Location"] = f"/v1/segments/{segment.id}"
    return SegmentOut.model_validate(segment)


@segments.post("/preview", permission="contacts:read", audited="nothing")
async def preview_segment(body: PreviewIn, tx: Tx, who: Who) -> PreviewOut:
    """Count who would fit, without saving anything."""
    found = await store.matching(tx, who.org, _checked(body.condition), COUNTED + 1)
    return PreviewOut(contacts=min(found, COUNTED), at_least=found > COUNTED)


@segments.get("/{segment_id}", permission="contacts:read")
async def read_segment(segment_id: UUID, tx: Tx, who: Who, response: Response) -> SegmentDetailOut:
    """One segment."""
    segment = await _there(tx, who.org, segment_id)
    size = await store.size(tx, who.org, segment_id)
    set_etag(response, segment.sequence)
    return SegmentDetailOut(**SegmentOut.model_validate(segment).model_dump(), **dict(size))


@segments.patch("/{segment_id}", permission="contacts:write")
async def change_segment(
    segment_id: UUID, body: SegmentPatch, tx: Tx, who: Who, request: Request, response: Response
) -> SegmentOut:
    """Rename it, or look for others; who fits no more leaves."""
    segment = await _there(tx, who.org, segment_id, lock=True)
    check_if_match(request, segment.sequence)
    wanted = body.model_dump(include=body.model_fields_set)
    if "condition" in wanted:
        _checked(wanted["condition"])
    revised = replace(segment, **wanted)
    if revised != segment:
        before = SegmentOut.model_validate(segment)
        segment = await store.save(tx, who.org, revised, fill=revised.condition != segment.condition)
        note_change(before, SegmentOut.model_validate(segment))
    set_etag(response, segment.sequence)
    return SegmentOut.model_validate(segment)


@segments.delete("/{segment_id}", permission="contacts:write", status_code=204)
async def delete_segment(segment_id: UUID, tx: Tx, who: Who, request: Request) -> None:
    """Keep it no longer; everybody leaves it, each told of."""
    segment = await _there(tx, who.org, segment_id, lock=True)
    check_if_match(request, segment.sequence)
    await store.save(tx, who.org, replace(segment, state="deleted"), fill=True)
    note_change(SegmentOut.model_validate(segment), None)


@segments.get("/{segment_id}/members", permission="contacts:read")
async def list_segment_members(
    segment_id: UUID, tx: Tx, who: Who, query: PageQuery, sort: ByTime = "created_at"
) -> Page[ContactOut]:
    """Who is in it; those first of whom one has known longest."""
    await _there(tx, who.org, segment_id)
    order = MEMBERS[sort]
    after = query.place(sort, order)
    found = await store.members(tx, who.org, segment_id, order, after, query.limit + 1)
    return query.page([ContactOut.model_validate(each) for each in found], sort, order)


def _checked(condition: dict[str, Any]) -> conditions.Condition:
    try:
        return conditions.read(condition)
    except conditions.BadConditionError as error:
        raise UnprocessableError(
            "The condition cannot be read.", errors=[{"pointer": error.pointer, "detail": error.detail}]
        ) from None


async def _there(tx: Transaction, org: UUID, segment_id: UUID, *, lock: bool = False) -> Segment:
    segment = await store.read(tx, org, segment_id, lock=lock)
    if segment is None:
        raise NotFoundError("There is no segment with this id.")
    return segment
