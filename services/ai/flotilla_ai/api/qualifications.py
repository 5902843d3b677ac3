"""Qualifications over HTTP: how conversations stand on budget, authority, need and timeline."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who, set_etag
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME
from flotilla.store.postgres import Row
from pydantic import BaseModel, Field

from flotilla_ai.domain.qualification import Standing
from flotilla_ai.domain.qualification.questions import Question
from flotilla_ai.domain.qualification.standing import Letter
from flotilla_ai.qualifying import settle
from flotilla_ai.store import qualifications as store

qualifications = Routes("/v1/qualifications", tag="qualifications")


class EvidenceOut(BaseModel):
    """Where something was said: characters of a message, which messaging has."""

    message_id: UUID
    start: int
    end: int


class LetterOut(BaseModel):
    """How a conversation stands on one question."""

    question: Question
    score: int = Field(description="From 0, nothing speaks for it, to 100.")
    confidence: float = Field(description="How sure the clearest message is, from 0 to 1.")
    explanation: str
    evidence: list[EvidenceOut]

    @classmethod
    def of(cls, letter: Letter) -> "LetterOut":
        """As the domain has it."""
        return cls(
            question=letter.question,
            score=letter.score,
            confidence=letter.confidence,
            explanation=letter.explanation,
            evidence=[
                EvidenceOut(message_id=entry.message_id, start=start, end=end)
                for entry in letter.entries
                for start, end in entry.spans
            ],
        )


class BudgetOut(BaseModel):
    """What they last said they can spend."""

    amount_minor: int
    currency: str


class QualificationOut(BaseModel):
    """How a conversation stands."""

    id: UUID
    conversation_id: UUID
    identity_id: UUID
    contact_id: UUID | None = Field(description="Null until a message that says something names it.")
    total: int = Field(description="From 0 to 100; each question is a quarter of it.")
    confidence: float
    letters: list[LetterOut]
    budget: BudgetOut | None
    model: str = Field(description="What judged, with its version.")
    qualified_at: datetime | None = Field(description="When it first passed the threshold.")
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> "QualificationOut":
        """A row."""
        standing = Standing.of(store.entries_of(row))
        budget = standing.budget
        return cls(
            id=row["id"],
            conversation_id=row["conversation_id"],
            identity_id=row["identity_id"],
            contact_id=row["contact_id"],
            total=row["total"],
            confidence=standing.confidence,
            letters=[LetterOut.of(letter) for letter in standing.letters],
            budget=BudgetOut(amount_minor=budget[0], currency=budget[1]) if budget else None,
            model=row["model"],
            qualified_at=row["qualified_at"],
            updated_at=row["updated_at"],
        )


@qualifications.get("", permission="qualifications:read")
async def list_qualifications(
    tx: Tx,
    who: Who,
    query: PageQuery,
    conversation_id: Annotated[UUID | None, Query()] = None,
    contact_id: Annotated[UUID | None, Query()] = None,
    sort: ByTime = "-created_at",
) -> Page[QualificationOut]:
    """Conversations of which something is known, the newest first, or as `sort` says."""
    order, filters = BY_TIME[sort], {"conversation_id": conversation_id, "contact_id": contact_id}
    rows = await store.listing(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([QualificationOut.of(row) for row in rows], sort, order)


@qualifications.post("/{conversation_id}/recompute", permission="qualifications:write")
async def recompute_qualification(
    conversation_id: UUID, tx: Tx, who: Who, response: Response
) -> QualificationOut:
    """Add up anew what is kept of its messages, by the rules and the threshold of now.

    Their texts are not kept here, so what was heard in them stays as it was heard.
    """
    held = await store.lock(tx, who.org, conversation_id)
    if held is None:
        raise NotFoundError("Nothing is known of such a conversation.")
    (row,) = await settle(tx, [held])
    set_etag(response, row["sequence"])
    return QualificationOut.of(row)
