"""Summaries over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from flotilla.http import NotFoundError, Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Shown, Written
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME
from pydantic import Field

from flotilla_ai import summarizing
from flotilla_ai.store import summaries as store

summaries = Routes("/v1/summaries", tag="summaries")


class SummaryIn(Written):
    """What shall be summarised."""

    conversation_id: UUID


class AskedOut(Shown):
    """It will be, in a moment: `conversation.summarized.v1` tells of it."""

    conversation_id: UUID
    position: int = Field(description="The customer's last message that it will know of.")


class SummaryOut(Shown):
    """What a conversation was about, with placeholders for personal data."""

    id: UUID
    conversation_id: UUID
    position: int
    text: str
    language: str
    intents: list[str]
    messages: int
    provider: str = Field(description="`local`: sentences of the conversation, chosen; else who wrote it.")
    created_at: datetime


@summaries.post("", permission="drafts:decide", status_code=202)
async def ask_for_summary(body: SummaryIn, tx: Tx, who: Who) -> AskedOut:
    """Have a conversation summarised; one that was, as it stands, is not again."""
    position = await store.position(tx, who.org, body.conversation_id)
    if position is None:
        raise NotFoundError("Nothing is known of such a conversation.")
    summarizing.ask(tx, who.org, body.conversation_id, position)
    return AskedOut(conversation_id=body.conversation_id, position=position)


@summaries.get("", permission="drafts:read")
async def list_summaries(
    tx: Tx,
    who: Who,
    query: PageQuery,
    conversation_id: Annotated[UUID, Query()],
    sort: ByTime = "-created_at",
) -> Page[SummaryOut]:
    """A conversation's, the newest first, or as `sort` says."""
    order = BY_TIME[sort]
    after = query.place(sort, order)
    rows = await store.listing(tx, who.org, conversation_id, order, after, query.limit + 1)
    return query.page([SummaryOut.model_validate(dict(row)) for row in rows], sort, order)


@summaries.get("/{summary_id}", permission="drafts:read")
async def read_summary(summary_id: UUID, tx: Tx, who: Who) -> SummaryOut:
    """One."""
    row = await store.read(tx, who.org, summary_id)
    if row is None:
        raise NotFoundError("There is no such summary.")
    return SummaryOut.model_validate(dict(row))
