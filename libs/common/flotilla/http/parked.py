"""Parked events over HTTP, for an operator of the organization: list, inspect, replay, discard."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from flotilla.bus import parked
from flotilla.http.deeds import note_change
from flotilla.http.pages import Page, PageQuery
from flotilla.http.routes import Routes
from flotilla.http.sorting import Sort
from flotilla.http.work import CurrentApp, Tx, Who
from flotilla.problems import NotFoundError
from flotilla.store.postgres import Database, Row, Transaction


class ParkedEvent(BaseModel):
    """An event a handler could not do; its content is not shown."""

    event_id: UUID
    handler: str
    lane: str
    type: str
    state: str
    waiting_for: str | None
    attempts: int
    error: str
    stack: str | None = None
    due_at: datetime | None
    failed_at: datetime


def parked_routes(service: str) -> Routes:
    """The routes of one service's parked events."""
    routes = Routes(f"/v1/parked/{service}", tag="parked")

    @routes.get("", permission="parked:read")
    async def list_parked(
        app: CurrentApp,
        who: Who,
        query: PageQuery,
        state: str | None = None,
        sort: Sort[Literal["-failed_at", "failed_at"]] = "-failed_at",
    ) -> Page[ParkedEvent]:
        """The latest failure first, or as `sort` says; `state` is retrying, waiting or parked."""
        order = parked.ORDERS[sort]
        after = query.place(sort, order)
        rows = await parked.listing(app.db, who.org, state, order, after, query.limit + 1)
        return query.page([ParkedEvent.model_validate(dict(row)) for row in rows], sort, order)

    @routes.get("/{event_id}", permission="parked:read")
    async def read_parked(event_id: UUID, app: CurrentApp, who: Who) -> list[ParkedEvent]:
        """The event for each handler that failed on it, with the stack."""
        return [ParkedEvent.model_validate(dict(row)) for row in await _own(app.db, who, event_id)]

    @routes.post("/{event_id}/replay", permission="parked:write", status_code=202)
    async def replay_parked(event_id: UUID, tx: Tx, who: Who) -> None:
        """Have it run again at once."""
        await _own(tx, who, event_id)
        await parked.replay(tx, event_id)

    @routes.delete("/{event_id}", permission="parked:write", status_code=204)
    async def discard_parked(event_id: UUID, tx: Tx, who: Who) -> None:
        """Give it up."""
        rows = await _own(tx, who, event_id)
        note_change({"type": rows[0]["type"], "handlers": [row["handler"] for row in rows]}, None)
        await parked.discard(tx, event_id)

    return routes


async def _own(db: Database | Transaction, who: Who, event_id: UUID) -> list[Row]:
    rows = [row for row in await parked.read(db, event_id) if row["organization_id"] == who.org]
    if not rows:
        raise NotFoundError("No event of this organization is parked under this id.")
    return rows
