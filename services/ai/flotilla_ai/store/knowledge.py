"""Sources of knowledge and their chunks."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import numpy as np
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_ai.domain.knowledge import Chunk
from flotilla_ai.domain.knowledge.embedding import Vectors

INSERT_SOURCE: Final = """
INSERT INTO knowledge_sources (organization_id, id, title, text, language, chunks, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *"""

INSERT_CHUNKS: Final = """
INSERT INTO knowledge_chunks (organization_id, source_id, embedder, id, position, heading, text, embedding)
SELECT $1, $2, $3, * FROM unnest($4::uuid[], $5::int[], $6::text[], $7::text[], $8::bytea[])"""

LIST_SOURCES: Final = """
SELECT organization_id, id, sequence, title, language, chunks, created_at, created_by FROM knowledge_sources"""

READ_SOURCE: Final = "SELECT * FROM knowledge_sources WHERE organization_id = $1 AND id = $2"

LOCK_SOURCE: Final = (
    "SELECT sequence FROM knowledge_sources WHERE organization_id = $1 AND id = $2 FOR UPDATE"
)

DELETE_SOURCE: Final = """
DELETE FROM knowledge_sources WHERE organization_id = $1 AND id = $2
RETURNING id, title, language, chunks, sequence + 1 AS sequence"""

CHUNKS_OF: Final = """
SELECT c.organization_id, c.id, c.source_id, s.title, c.heading, c.text, s.language, c.embedding, c.embedder
FROM knowledge_chunks c
JOIN knowledge_sources s ON s.organization_id = c.organization_id AND s.id = c.source_id
WHERE c.organization_id = ANY($1)
ORDER BY c.organization_id, c.source_id, c.position"""


async def insert_source(
    tx: Transaction,
    org: UUID,
    chunks: Sequence[Chunk],
    vectors: Vectors,
    embedder: str,
    *,
    text: str,
    by: str,
) -> Row:
    """A source and its chunks, which all carry its id, title and language."""
    first = chunks[0]
    row = await tx.fetchrow(
        INSERT_SOURCE, org, first.source_id, first.title, text, first.language, len(chunks), by
    )
    assert row is not None
    await tx.execute(
        INSERT_CHUNKS,
        org,
        first.source_id,
        embedder,
        [chunk.id for chunk in chunks],
        list(range(len(chunks))),
        [chunk.heading for chunk in chunks],
        [chunk.text for chunk in chunks],
        [vector.astype(np.float16).tobytes() for vector in vectors],
    )
    return row


async def list_sources(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All in this order, those after the one with the key `after`."""
    return await order.read(tx, LIST_SOURCES, Where(org), after, limit)


async def read_source(tx: Transaction, org: UUID, source_id: UUID) -> Row | None:
    """One source with its text."""
    return await tx.fetchrow(READ_SOURCE, org, source_id)


async def lock_source(tx: Transaction, org: UUID, source_id: UUID) -> int | None:
    """Its sequence, held until the transaction ends."""
    sequence: int | None = await tx.fetchval(LOCK_SOURCE, org, source_id)
    return sequence


async def delete_source(tx: Transaction, org: UUID, source_id: UUID) -> Row | None:
    """Remove it and its chunks; what it was."""
    return await tx.fetchrow(DELETE_SOURCE, org, source_id)


async def chunks_of(tx: Transaction, orgs: Iterable[UUID]) -> dict[UUID, list[Row]]:
    """Every chunk of these organizations."""
    found: dict[UUID, list[Row]] = {}
    for row in await tx.fetch(CHUNKS_OF, list(orgs)):
        found.setdefault(row["organization_id"], []).append(row)
    return found


def chunk_of(row: Row) -> Chunk:
    """The chunk of a row of `chunks_of`."""
    return Chunk(row["id"], row["source_id"], row["title"], row["heading"], row["text"], row["language"])
