"""An organization's knowledge over HTTP."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response, status
from flotilla.events.ai import KnowledgeIndexed
from flotilla.http import (
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    Work,
    check_if_match,
    set_etag,
)
from flotilla.http.sorting import Sort
from flotilla.store.order import BY_TIME, by_name
from flotilla.store.postgres import Row
from pydantic import BaseModel, Field

from flotilla_ai.api.inputs import Input, Plain
from flotilla_ai.domain.knowledge import HASHING, Chunk, chunked
from flotilla_ai.domain.knowledge.embedding import Vectors
from flotilla_ai.domain.language import LANGUAGES, UNDETERMINED, detect
from flotilla_ai.domain.text import features_of
from flotilla_ai.library import Library, announce
from flotilla_ai.store import knowledge as store

knowledge = Routes("/v1/knowledge", tag="knowledge")

ORDERS = {**BY_TIME, **by_name("title", field="title")}
Sorts = Literal["-created_at", "created_at", "title", "-title"]
NO_SOURCE = "There is no such source."
LONGEST_SOURCE = 400_000


class SourceIn(Input):
    """A text that replies may stand on: plain, or Markdown whose headings cut it."""

    title: Plain = Field(max_length=200)
    text: Plain = Field(max_length=LONGEST_SOURCE)
    language: Literal["de", "en", "fr", "ru", "uk"] | None = Field(
        default=None, description="Detected where it is not given."
    )


class SourceOut(BaseModel):
    """A source of knowledge."""

    id: UUID
    title: str
    language: str
    chunks: int
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, row: Row) -> "SourceOut":
        """A row."""
        return cls.model_validate({name: row[name] for name in cls.model_fields})


class SourceTextOut(SourceOut):
    """A source with its text."""

    text: str


class HitOut(BaseModel):
    """A piece of knowledge that fits a question; scores from 0 to 1."""

    chunk_id: UUID
    source_id: UUID
    title: str
    heading: str
    text: str
    language: str
    score: float
    text_score: float
    similarity: float


class HitsOut(BaseModel):
    """The pieces that fit best, best first."""

    items: list[HitOut]


@knowledge.post("/sources", permission="knowledge:write", status_code=status.HTTP_201_CREATED)
async def create_knowledge_source(
    source: SourceIn, app: CurrentApp, who: Who, work: Work, response: Response
) -> SourceOut:
    """Add a source; it can be searched and cited when this answers."""
    source_id = app.new_id()
    # A long text takes a second to cut and embed: neither on the loop nor in the transaction.
    chunks, vectors = await asyncio.to_thread(_prepared, source_id, source, app.new_id)
    if not chunks:
        raise UnprocessableError(
            "The text has nothing but headings.", errors=[{"pointer": "/text", "detail": "no content"}]
        )
    tx = await work.begin()
    row = await store.insert_source(
        tx, who.org, chunks, vectors, HASHING.name, text=source.text, by=who.actor
    )
    tx.emit(_event(row, "indexed"), org=who.org, sequence=row["sequence"], audience="org")
    await announce(tx, who.org)
    set_etag(response, row["sequence"])
    response.headers["Location"] = f"/v1/knowledge/sources/{source_id}"
    return SourceOut.of(row)


@knowledge.get("/sources", permission="knowledge:read")
async def list_knowledge_sources(
    tx: Tx, who: Who, query: PageQuery, sort: Sort[Sorts] = "-created_at"
) -> Page[SourceOut]:
    """Sources, the newest first, or as `sort` says."""
    order = ORDERS[sort]
    rows = await store.list_sources(tx, who.org, order, query.place(sort, order), query.limit + 1)
    return query.page([SourceOut.of(row) for row in rows], sort, order)


@knowledge.get("/sources/{source_id}", permission="knowledge:read")
async def read_knowledge_source(source_id: UUID, tx: Tx, who: Who, response: Response) -> SourceTextOut:
    """One source with its text."""
    row = await store.read_source(tx, who.org, source_id)
    if row is None:
        raise NotFoundError(NO_SOURCE)
    set_etag(response, row["sequence"])
    return SourceTextOut.model_validate({name: row[name] for name in SourceTextOut.model_fields})


@knowledge.delete(
    "/sources/{source_id}", permission="knowledge:write", status_code=status.HTTP_204_NO_CONTENT
)
async def delete_knowledge_source(source_id: UUID, request: Request, tx: Tx, who: Who) -> None:
    """Remove a source; drafts that cited it keep their quotes."""
    sequence = await store.lock_source(tx, who.org, source_id)
    if sequence is None:
        raise NotFoundError(NO_SOURCE)
    check_if_match(request, sequence)
    row = await store.delete_source(tx, who.org, source_id)
    assert row is not None  # held since its sequence was read
    tx.emit(_event(row, "removed"), org=who.org, sequence=row["sequence"], audience="org")
    await announce(tx, who.org)


@knowledge.get("/search", permission="knowledge:read", limit="dear")
async def search_knowledge(
    app: CurrentApp,
    who: Who,
    q: Annotated[str, Query(min_length=1, max_length=500)],
    limit: Annotated[int, Query(ge=1, le=20)] = 5,
) -> HitsOut:
    """Search by meaning and by words."""
    library: Library = app.own.library
    index = (await library.of(app, who.orgs))[who.org].index
    hits = index.search(features_of(q), detect(q).code, limit)
    return HitsOut(
        items=[
            HitOut(
                chunk_id=hit.chunk.id,
                source_id=hit.chunk.source_id,
                title=hit.chunk.title,
                heading=hit.chunk.heading,
                text=hit.chunk.text,
                language=hit.chunk.language,
                score=round(hit.score, 4),
                text_score=round(hit.text_score, 4),
                similarity=round(hit.similarity, 4),
            )
            for hit in hits
        ]
    )


def _prepared(source_id: UUID, source: SourceIn, new_id: Callable[[], UUID]) -> tuple[list[Chunk], Vectors]:
    language = source.language or detect(source.text).code
    if language == UNDETERMINED or language not in LANGUAGES:
        language = "en"
    chunks = [
        Chunk(new_id(), source_id, source.title.strip(), passage.heading, passage.text, language)
        for passage in chunked(source.text)
    ]
    return chunks, HASHING.embed([chunk.searched for chunk in chunks])


def _event(row: Row, state: str) -> KnowledgeIndexed:
    return KnowledgeIndexed(
        source_id=row["id"], title=row["title"], chunks=row["chunks"], language=row["language"], state=state
    )
