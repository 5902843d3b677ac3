"""Insights over HTTP: what the AI noticed, and what a person thinks of it."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.events.ai import InsightDecided
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
from flotilla.http.bodies import Shown
from flotilla.http.sorting import ByTime
from flotilla.security.principal import Principal
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Transaction
from pydantic import Field

from flotilla_ai.events import AUDIENCE
from flotilla_ai.noticing import insight_event
from flotilla_ai.store import insights as store

insights = Routes("/v1/insights", tag="insights")

State = Literal["open", "accepted", "dismissed"]


class EvidenceOut(Shown):
    """Where it shows: characters of a message, which messaging has."""

    message_id: UUID
    start: int
    end: int


class InsightOut(Shown):
    """Something in a conversation that a person may act on."""

    id: UUID
    conversation_id: UUID
    contact_id: UUID | None
    kind: Literal["buying_signal", "next_best_action"]
    topic: str = Field(description="`budget`, `timeline`, …, or what to do: `offer_demo`, `send_offer`, …")
    confidence: float
    evidence: list[EvidenceOut]
    state: State
    found_at: datetime
    decided_at: datetime | None
    decided_by: str | None


@insights.get("", permission="drafts:read")
async def list_insights(
    tx: Tx,
    who: Who,
    query: PageQuery,
    conversation_id: Annotated[UUID | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    sort: ByTime = "-created_at",
) -> Page[InsightOut]:
    """The newest first, or as `sort` says."""
    order, filters = BY_TIME[sort], {"conversation_id": conversation_id, "state": state}
    rows = await store.listing(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([InsightOut.model_validate(dict(row)) for row in rows], sort, order)


@insights.post("/{insight_id}/accept", permission="drafts:decide")
async def accept_insight(
    insight_id: UUID, request: Request, response: Response, tx: Tx, who: Who
) -> InsightOut:
    """Somebody will act on it. Once: one that was decided on answers 409."""
    return await _decide(tx, who, request, response, insight_id, "accepted")


@insights.post("/{insight_id}/dismiss", permission="drafts:decide")
async def dismiss_insight(
    insight_id: UUID, request: Request, response: Response, tx: Tx, who: Who
) -> InsightOut:
    """There is nothing in it. Once: one that was decided on answers 409."""
    return await _decide(tx, who, request, response, insight_id, "dismissed")


async def _decide(
    tx: Transaction, who: Principal, request: Request, response: Response, insight_id: UUID, state: str
) -> InsightOut:
    before = await store.lock(tx, who.org, insight_id)
    if before is None:
        raise NotFoundError("There is no such insight.")
    check_if_match(request, before["sequence"])
    if before["state"] != "open":
        raise ConflictError(f"The insight is {before['state']}.", state=before["state"])
    row = await store.decide(tx, who.org, insight_id, state, who.actor)
    decided = insight_event(
        InsightDecided, row, decided_by=who.actor, changed={"state": [before["state"], row["state"]]}
    )
    tx.emit(decided, org=who.org, sequence=row["sequence"], audience=AUDIENCE)
    set_etag(response, row["sequence"])
    return InsightOut.model_validate(dict(row))
