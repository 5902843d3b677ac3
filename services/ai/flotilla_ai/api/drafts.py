"""Drafts over HTTP: what waits for a person, and what the person decides."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.events.ai import DraftApproved, DraftRejected
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
from flotilla.http.sorting import ByTime, Several
from flotilla.security.principal import Principal
from flotilla.security.reach import check_mine
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Row, Transaction
from pydantic import BaseModel, Field

from flotilla_ai.api.inputs import Input, Plain
from flotilla_ai.domain.drafts import State
from flotilla_ai.events import AUDIENCE, Origin, draft_event
from flotilla_ai.metrics import DRAFTS
from flotilla_ai.store import drafts as store
from flotilla_ai.store.assignees import assignee_of

drafts = Routes("/v1/drafts", tag="drafts")

NO_DRAFT = "There is no such draft."


class CitationOut(BaseModel):
    """A piece of knowledge that a draft stands on."""

    chunk_id: UUID
    source_id: UUID
    title: str
    quote: str
    score: float


class VerdictOut(BaseModel):
    """What the supervisor thinks of it."""

    allowed: bool
    reasons: list[str]


class DraftOut(BaseModel):
    """A proposed reply to one message of a customer."""

    id: UUID
    message_id: UUID
    conversation_id: UUID
    agent: str
    provider: str
    text: str | None
    sent_text: str | None = Field(description="What was approved, where it was edited or not.")
    confidence: float
    citations: list[CitationOut]
    verdict: VerdictOut
    state: Literal["requested", "generated", "approved", "rejected", "failed"]
    reason: str | None
    generated_at: datetime
    decided_at: datetime | None
    decided_by: str | None

    @classmethod
    def of(cls, row: Row) -> "DraftOut":
        """A row."""
        return cls.model_validate({name: row[name] for name in cls.model_fields})


class Approval(Input):
    """Approve a draft, edited where `text` is given."""

    text: Plain | None = Field(default=None, max_length=4_000)


class Rejection(Input):
    """Reject a draft."""

    reason: Plain | None = Field(default=None, max_length=500)


@drafts.get("", permission="drafts:read", reach="rows")
async def list_drafts(
    tx: Tx,
    who: Who,
    query: PageQuery,
    conversation_id: Annotated[UUID | None, Query()] = None,
    state: Several[Literal["requested", "generated", "approved", "rejected", "failed"]] = None,
    sort: ByTime = "-created_at",
) -> Page[DraftOut]:
    """Drafts, the newest first."""
    filters, order = {"conversation_id": conversation_id, "state": state}, BY_TIME[sort]
    rows = await store.listing(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([DraftOut.of(row) for row in rows], sort, order)


@drafts.get("/{draft_id}", permission="drafts:read", reach="rows")
async def read_draft(draft_id: UUID, tx: Tx, who: Who, response: Response) -> DraftOut:
    """One draft; its ETag guards the decision."""
    row = await store.read(tx, who.org, draft_id)
    if row is None:
        raise NotFoundError(NO_DRAFT)
    set_etag(response, row["sequence"])
    return DraftOut.of(row)


@drafts.post("/{draft_id}/approve", permission="drafts:decide", reach="rows")
async def approve_draft(
    draft_id: UUID, request: Request, response: Response, tx: Tx, who: Who, approval: Approval | None = None
) -> DraftOut:
    """Have it sent, as it is or edited. Once: a draft that was decided on answers 409."""
    before = await _undecided(tx, request, who, draft_id)
    text = approval.text if approval and approval.text is not None else before["text"]
    row = await _decide(tx, before, State.APPROVED, by=who.actor, sent_text=text)
    event = draft_event(DraftApproved, row, edited=text != before["text"], changed=_change(before, row))
    tx.emit(
        event,
        org=who.org,
        sequence=row["sequence"],
        cause=Origin.of(row).leads_to(who.actor),
        audience=AUDIENCE,
    )
    set_etag(response, row["sequence"])
    return DraftOut.of(row)


@drafts.post("/{draft_id}/reject", permission="drafts:decide", reach="rows")
async def reject_draft(
    draft_id: UUID, request: Request, response: Response, tx: Tx, who: Who, rejection: Rejection | None = None
) -> DraftOut:
    """Refuse it, with the reason. Once: a draft that was decided on answers 409."""
    before = await _undecided(tx, request, who, draft_id)
    reason = rejection.reason if rejection else None
    row = await _decide(tx, before, State.REJECTED, by=who.actor, reason=reason)
    tx.emit(
        draft_event(DraftRejected, row, changed=_change(before, row)),
        org=who.org,
        sequence=row["sequence"],
        cause=Origin.of(row).leads_to(who.actor),
        audience=AUDIENCE,
    )
    set_etag(response, row["sequence"])
    return DraftOut.of(row)


async def _undecided(tx: Transaction, request: Request, who: Principal, draft_id: UUID) -> Row:
    """The draft, held, where this person may still decide on it."""
    row = await store.lock(tx, who.org, draft_id)
    if row is None:
        raise NotFoundError(NO_DRAFT)
    check_mine(who, "drafts:decide", await assignee_of(tx, who.org, row["conversation_id"]))
    check_if_match(request, row["sequence"])
    if row["state"] != State.GENERATED:
        why = f", because: {row['reason']}" if row["reason"] else ""
        raise ConflictError(f"The draft is {row['state']}{why}.", state=row["state"])
    return row


async def _decide(
    tx: Transaction,
    before: Row,
    state: State,
    *,
    by: str,
    sent_text: str | None = None,
    reason: str | None = None,
) -> Row:
    row = await store.decide(
        tx, before["organization_id"], before["id"], state, by=by, sent_text=sent_text, reason=reason
    )
    assert row is not None  # held since its state was read
    tx.after_commit(DRAFTS.labels(row["provider"], row["state"], "").inc)
    return row


def _change(before: Row, after: Row) -> dict[str, list[str]]:
    return {"state": [before["state"], after["state"]]}
