"""Search on Postgres: trigrams (pg_trgm), so that a word with a typo is still similar enough."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Row

from flotilla_analytics.domain.documents import Document, Kind, terms_of
from flotilla_analytics.search.base import Hit, Key

UPSERT: Final = """
INSERT INTO search_documents AS known (organization_id, kind, id, version, title, body, text, person,
                                       conversation_id, occurred_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::uuid[], $10::timestamptz[])
ON CONFLICT (organization_id, kind, id) DO UPDATE
SET (version, title, body, text, person, conversation_id, occurred_at)
  = (excluded.version, excluded.title, excluded.body, excluded.text, excluded.person,
     excluded.conversation_id, excluded.occurred_at)
WHERE known.version < excluded.version"""

REMOVE: Final = """
DELETE FROM search_documents USING unnest($1::uuid[], $2::text[], $3::uuid[]) AS gone (organization_id, kind, id)
WHERE (search_documents.organization_id, search_documents.kind, search_documents.id)
    = (gone.organization_id, gone.kind, gone.id)"""

DELETE_ORGANIZATION: Final = "DELETE FROM search_documents WHERE organization_id = $1"
DELETE_PERSON: Final = "DELETE FROM search_documents WHERE organization_id = $1 AND person = ANY($2)"

# The ids of messages sort by time: no index of its own is needed.
DELETE_MESSAGES: Final = """
WITH old AS (
    SELECT id FROM search_documents
    WHERE organization_id = $1 AND kind = 'message' AND id < first_id_at($2) ORDER BY id LIMIT $3)
DELETE FROM search_documents d USING old WHERE d.organization_id = $1 AND d.kind = 'message' AND d.id = old.id"""

SEARCH: Final = "SELECT * FROM find_documents($1, $2, $3, $4, $5, $6)"


class PostgresSearch:
    """Documents in a table of the service's own schema."""

    name = "search.postgres"

    def __init__(self, db: Database) -> None:
        self._db = db

    async def index(self, documents: Sequence[Document]) -> None:
        """One statement for all of them."""
        newest: dict[tuple[UUID, Kind, UUID], Document] = {}
        for document in documents:
            key = (document.org, document.kind, document.id)
            if key not in newest or newest[key].version < document.version:
                newest[key] = document
        if not newest:
            return
        rows = [_columns(newest[key]) for key in sorted(newest)]
        async with self._db.transaction({key[0] for key in newest}) as tx:
            await tx.execute(UPSERT, *map(list, zip(*rows, strict=True)))

    async def remove(self, documents: Collection[tuple[UUID, Kind, UUID]]) -> None:
        """One statement for all of them."""
        if documents:
            async with self._db.transaction({org for org, _, _ in documents}) as tx:
                await tx.execute(REMOVE, *map(list, zip(*documents, strict=True)))

    async def delete_person(self, org: UUID, people: Sequence[str]) -> None:
        """By the index on the person."""
        async with self._db.transaction(org) as tx:
            await tx.execute(DELETE_PERSON, org, people)

    async def delete_organization(self, org: UUID) -> None:
        """Of all kinds."""
        async with self._db.transaction(org) as tx:
            await tx.execute(DELETE_ORGANIZATION, org)

    async def delete_messages(self, org: UUID, before: datetime, limit: int) -> int:
        """By the primary key."""
        async with self._db.transaction(org) as tx:
            return int((await tx.execute(DELETE_MESSAGES, org, before, limit)).split()[-1])

    async def search(
        self, org: UUID, query: str, kinds: Collection[Kind], limit: int, after: Key | None = None
    ) -> list[Hit]:
        """By how similar the words are, then the newest."""
        terms = terms_of(query)
        if not terms or not kinds:
            return []
        score, key = after or (None, None)
        async with self._db.transaction(org) as tx:
            rows = await tx.fetch(SEARCH, org, terms, list(kinds), limit, score, key)
        return [_hit(row) for row in rows]


def _columns(document: Document) -> tuple[object, ...]:
    return (
        document.org,
        document.kind,
        document.id,
        document.version,
        document.title,
        document.body,
        document.text,
        document.person,
        document.conversation_id,
        document.occurred_at,
    )


def _hit(row: Row) -> Hit:
    return Hit(
        kind=Kind(row["kind"]),
        id=row["id"],
        title=row["title"],
        body=row["body"],
        conversation_id=row["conversation_id"],
        occurred_at=row["occurred_at"],
        key=(row["score"], row["id"]),
    )
