"""Search on Elasticsearch: an index for each kind, routed and filtered by organization.

Documents carry the owner's sequence as their external version, so a late older state is refused by the server.
"""

import ssl
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from elasticsearch import ApiError, AsyncElasticsearch, BadRequestError, TransportError
from flotilla.outside import forbid_in_transaction
from flotilla.problems import UnavailableError

from flotilla_analytics.domain.documents import Document, Kind, terms_of
from flotilla_analytics.search.base import Hit, Key

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode

KEYWORD: Final = {"type": "keyword"}
FILTERED: Final = {"type": "keyword", "doc_values": False}
STORED: Final = {"type": "keyword", "index": False, "doc_values": False}

MAPPINGS: Final = {
    "dynamic": "strict",
    # What is searched is made of what is shown, and nobody asks for phrases: neither it nor its places are kept.
    "_source": {"excludes": ["text"]},
    "properties": {
        "organization_id": FILTERED,
        "id": KEYWORD,
        "title": STORED,
        "body": STORED,
        "text": {"type": "text", "analyzer": "standard", "index_options": "freqs"},
        "person": FILTERED,
        "conversation_id": STORED,
        "occurred_at": {"type": "date"},
    },
}

SETTINGS: Final = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}

TOGETHER: Final = 500
"""Documents a request; with 8 KB of text each, twice, less than a tenth of what the server takes."""
NO_CHANGE: Final = frozenset({404, 409})
"""Not there, or there in a newer version."""


class ElasticsearchError(RuntimeError):
    """Elasticsearch refused a document for another reason than its version."""


class ElasticsearchSearch:
    """Documents in `<prefix>-search-<kind>`."""

    name = "search.elasticsearch"

    def __init__(self, url: str, prefix: str, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: whom to believe that it is the server, where that is no public authority."""
        options: dict[str, Any] = {"ssl_context": tls} if tls else {}
        self._client = AsyncElasticsearch(
            url, **options, request_timeout=10, retry_on_timeout=True, max_retries=3
        )
        self._prefix = f"{prefix}-search"
        self._made = False

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def index(self, documents: Sequence[Document]) -> None:
        """Bulk requests; found after the next refresh, within a second."""
        await self._bulk(
            (
                {
                    "index": {
                        **self._place(document.org, document.kind, document.id),
                        "version": document.version,
                        "version_type": "external",
                    }
                },
                _source(document),
            )
            for document in documents
        )

    async def remove(self, documents: Collection[tuple[UUID, Kind, UUID]]) -> None:
        """Bulk requests."""
        await self._bulk(({"delete": self._place(*document)},) for document in documents)

    async def delete_person(self, org: UUID, people: Sequence[str]) -> None:
        """Of all kinds; refreshed before, so that what was just indexed is seen, and after."""
        forbid_in_transaction("Elasticsearch")
        await self._make_indices()
        indices = self._indices(Kind)
        await self._client.indices.refresh(index=indices)
        conditions = [{"term": {"organization_id": str(org)}}, {"terms": {"person": list(people)}}]
        await self._client.delete_by_query(
            index=indices, query={"bool": {"filter": conditions}}, refresh=True, conflicts="proceed"
        )

    async def delete_organization(self, org: UUID) -> None:
        """Of all kinds; refreshed before and after."""
        forbid_in_transaction("Elasticsearch")
        await self._make_indices()
        indices = self._indices(Kind)
        await self._client.indices.refresh(index=indices)
        own = {"term": {"organization_id": str(org)}}
        await self._client.delete_by_query(index=indices, query=own, refresh=True, conflicts="proceed")

    async def delete_messages(self, org: UUID, before: datetime, limit: int) -> int:
        """By when they were written; refreshed after, so that the next of them are others."""
        forbid_in_transaction("Elasticsearch")
        await self._make_indices()
        conditions = [
            {"term": {"organization_id": str(org)}},
            {"range": {"occurred_at": {"lt": before.isoformat()}}},
        ]
        answer = await self._client.delete_by_query(
            index=self._indices([Kind.MESSAGE]),
            query={"bool": {"filter": conditions}},
            max_docs=limit,
            refresh=True,
            conflicts="proceed",
        )
        return int(answer["deleted"])

    async def search(
        self, org: UUID, query: str, kinds: Collection[Kind], limit: int, after: Key | None = None
    ) -> list[Hit]:
        """By relevance: every word must be there, with up to two typos in a long one; the last may be a prefix."""
        forbid_in_transaction("Elasticsearch")
        terms = terms_of(query)
        if not terms or not kinds:
            return []
        try:
            await self._make_indices()
            found = await self._client.search(
                index=self._indices(kinds),
                routing=str(org),
                query=_query(org, " ".join(terms)),
                sort=[{"_score": "desc"}, {"id": "desc"}],
                search_after=[after[0], str(after[1])] if after else None,
                size=limit,
            )
        except (TransportError, ApiError) as error:
            log.warning("search.unavailable", error=type(error).__name__)
            raise UnavailableError(
                "Search is down; try again in a moment.", headers={"Retry-After": "5"}
            ) from error
        return [_hit(hit, self._prefix) for hit in found["hits"]["hits"]]

    async def refresh(self) -> None:
        """Make what was indexed findable now."""
        await self._make_indices()
        await self._client.indices.refresh(index=self._indices(Kind))

    async def drop(self) -> None:
        """Delete the indices, for a rebuild."""
        await self._client.indices.delete(index=self._indices(Kind), ignore_unavailable=True)
        self._made = False

    async def _bulk(self, actions: Iterable[tuple[dict[str, Any], ...]]) -> None:
        """Each action with its document; encoded here, for the client's own way takes several times as long."""
        forbid_in_transaction("Elasticsearch")
        await self._make_indices()
        lines = iter(actions)
        while together := list(islice(lines, TOGETHER)):
            answer = await self._client.bulk(
                operations=[_encode(line) for action in together for line in action],  # type: ignore[misc]
                filter_path=["errors", "items.*.status", "items.*.error"],
            )
            for item in answer.get("items", ()):
                (outcome,) = item.values()
                if outcome["status"] >= 300 and outcome["status"] not in NO_CHANGE:
                    raise ElasticsearchError(str(outcome.get("error")))

    async def _make_indices(self) -> None:
        if self._made:
            return
        for index in self._indices(Kind):
            try:
                await self._client.indices.create(index=index, mappings=MAPPINGS, settings=SETTINGS)
            except BadRequestError as error:
                if error.error != "resource_already_exists_exception":
                    raise
        self._made = True

    def _indices(self, kinds: Iterable[Kind]) -> list[str]:
        return [f"{self._prefix}-{kind}" for kind in kinds]

    def _place(self, org: UUID, kind: Kind, key: UUID) -> dict[str, Any]:
        return {"_index": f"{self._prefix}-{kind}", "_id": f"{org}:{key}", "routing": str(org)}


def _query(org: UUID, words: str) -> dict[str, Any]:
    fuzzy = {"query": words, "operator": "and", "fuzziness": "AUTO"}
    exact = {"query": words, "operator": "and", "boost": 2}
    return {
        "bool": {
            "filter": [{"term": {"organization_id": str(org)}}],
            "should": [
                {"match": {"text": exact}},
                {"match": {"text": fuzzy}},
                {"match_bool_prefix": {"text": fuzzy}},
            ],
            "minimum_should_match": 1,
        }
    }


def _source(document: Document) -> dict[str, Any]:
    return {
        "organization_id": str(document.org),
        "id": str(document.id),
        "title": document.title,
        "body": document.body,
        "text": document.text,
        "person": document.person,
        "conversation_id": str(document.conversation_id) if document.conversation_id else None,
        "occurred_at": document.occurred_at.isoformat(),
    }


def _hit(hit: dict[str, Any], prefix: str) -> Hit:
    source = hit["_source"]
    conversation_id = source["conversation_id"]
    return Hit(
        kind=Kind(hit["_index"].removeprefix(f"{prefix}-")),
        id=UUID(source["id"]),
        title=source["title"],
        body=source["body"],
        conversation_id=UUID(conversation_id) if conversation_id else None,
        occurred_at=datetime.fromisoformat(source["occurred_at"]),
        key=(hit["sort"][0], UUID(hit["sort"][1])),
    )
