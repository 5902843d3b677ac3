"""Replays: an organization has the copies that services keep of its data built anew from the archive."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import Response
from flotilla.events.analytics import ReplayRequested
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown, Written
from flotilla.http.etags import set_etag
from flotilla.http.sorting import ByTime
from flotilla.ids import new_id
from flotilla.replay.wire import Filter
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Row
from pydantic import AwareDatetime, Field

from flotilla_analytics.store import replays as store

routes = Routes("/v1/replays", tag="replays")

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-z0-9_.]+$")]
Names = Annotated[list[Name], Field(max_length=100)]


class ReplayIn(Written):
    """What shall be built anew. With `types`, `subjects` or `since` nothing is removed."""

    service: Name = Field(examples=["crm"])
    projections: Names = Field(default=[], description="None: all of the service.")
    types: Names = Field(default=[], description="Exact types of events; none: all that they take.")
    subjects: Annotated[list[UUID], Field(max_length=100)] = Field(
        default=[], description="Entities; none: all."
    )
    since: AwareDatetime | None = None
    latest: bool = Field(default=True, description="The newest state of each entity only.")


class ReplayOut(Shown):
    """A replay, and how it ended."""

    id: UUID
    service: str
    projections: list[str]
    state: Literal["requested", "running", "finished", "failed"]
    reason: str | None
    events: int | None = Field(description="How many of the archive's were applied.")
    added: int | None = Field(description="Rows that were missing.")
    updated: int | None = Field(description="Rows that were wrong.")
    removed: int | None = Field(description="Rows that the archive knows nothing of.")
    requested_at: AwareDatetime
    ended_at: AwareDatetime | None


@routes.post("", permission="replays:write", limit="dear", status_code=202)
async def request_replay(body: ReplayIn, tx: Tx, who: Who) -> ReplayOut:
    """Have it done; what cannot be is told by the replay's `reason`."""
    replay_id = new_id()
    wanted = Filter(
        organizations=[who.org],
        types=body.types,
        subjects=[str(subject) for subject in body.subjects],
        since=body.since,
    )
    asked: dict[str, Any] = msgspec.to_builtins(wanted) | {"latest": body.latest}
    await store.insert(tx, who.org, replay_id, body.service, body.projections, asked)
    wish = ReplayRequested(
        request_id=replay_id,
        replay_id=replay_id,
        service=body.service,
        projections=tuple(body.projections),
        organizations=(who.org,),
        types=tuple(wanted.types),
        subjects=tuple(wanted.subjects),
        since=body.since,
        latest=body.latest,
    )
    tx.emit(wish, org=who.org, sequence=1)
    row = await store.read(tx, who.org, replay_id)
    assert row is not None
    return _shown(row)


@routes.get("", permission="replays:read")
async def list_replays(
    tx: Tx, who: Who, query: PageQuery, service: Name | None = None, sort: ByTime = "-created_at"
) -> Page[ReplayOut]:
    """The newest first, or as `sort` says."""
    order = BY_TIME[sort]
    rows = await store.listing(tx, who.org, service, order, query.place(sort, order), query.limit + 1)
    return query.page([_shown(row) for row in rows], sort, order)


@routes.get("/{replay_id}", permission="replays:read")
async def read_replay(replay_id: UUID, tx: Tx, who: Who, response: Response) -> ReplayOut:
    """One, while it runs and how it ended."""
    row = await store.read(tx, who.org, replay_id)
    if row is None:
        raise NotFoundError("There is no replay with this id.")
    set_etag(response, row["sequence"])
    return _shown(row)


def _shown(row: Row) -> ReplayOut:
    return ReplayOut.model_validate(dict(row))
