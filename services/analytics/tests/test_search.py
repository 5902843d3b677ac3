"""One suite for every search; each implementation inherits it and runs on its real server."""

import shutil
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from flotilla.app import App
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.outside import OutsideCallInTransactionError
from flotilla.problems import UnavailableError
from flotilla_analytics.domain.documents import Document, Kind, excerpt, terms_of, words_of
from flotilla_analytics.erasure import erase_person
from flotilla_analytics.search.base import Key, Search
from flotilla_analytics.search.elasticsearch import ElasticsearchSearch
from flotilla_analytics.search.postgres import PostgresSearch
from flotilla_analytics.workers.sealer import seal_next
from flotilla_analytics.workers.search import fold_next

from services.analytics.tests.conftest import Archive, Events, OpenApp, Superuser

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def document(org: UUID, title: str, body: str = "", **fields: Any) -> Document:
    """A message unless said otherwise."""
    told = Document(org, Kind.MESSAGE, new_id(), 1, title, body, None, new_id(), NOW)
    return replace(told, **fields)


class SearchConformance:
    """What any search has to do."""

    @pytest.fixture
    async def search(self) -> Search:
        """The search."""
        raise NotImplementedError

    async def refresh(self, search: Any) -> None:
        """Wait until what was indexed is found."""

    async def put(self, search: Search, *documents: Document) -> None:
        """Index and wait."""
        await search.index(documents)
        await self.refresh(search)

    async def ids(
        self, search: Search, org: UUID, query: str, kinds: Iterable[Kind] = Kind, limit: int = 50
    ) -> list[UUID]:
        """What is found, in order."""
        return [hit.id for hit in await search.search(org, query, list(kinds), limit)]

    async def test_a_hit_is_the_document(self, search: Search, org: UUID) -> None:
        kept = document(org, "Ada", "Where is my parcel?")
        await self.put(search, kept)
        (hit,) = await search.search(org, "parcel", [Kind.MESSAGE], 10)
        assert (hit.kind, hit.id, hit.title, hit.body) == (
            Kind.MESSAGE,
            kept.id,
            "Ada",
            "Where is my parcel?",
        )
        assert (hit.conversation_id, hit.occurred_at) == (kept.conversation_id, NOW)

    @pytest.mark.parametrize(
        "query",
        [
            "elasticsearch",
            "ELASTICSEARCH",
            "elasticsarch",
            "elastisearch",
            "elasticsea",
            "müller",
            "muller",
            "mullar elasticsearch",
            "Привіт",
            "привит",
            "elasticsearch muller",
            "anna@example.org",
        ],
    )
    async def test_words_are_found_with_typos_accents_case_and_unfinished(
        self, search: Search, org: UUID, query: str
    ) -> None:
        kept = document(org, "Anna Müller", "привіт, deploy the elasticsearch server; anna@example.org")
        await self.put(search, kept, document(org, "Grace Hopper", "an invoice about something else"))
        assert await self.ids(search, org, query) == [kept.id]

    async def test_every_word_must_be_there(self, search: Search, org: UUID) -> None:
        both = document(org, "", "red bicycle")
        await self.put(search, both, document(org, "", "red tractor"), document(org, "", "blue bicycle"))
        assert await self.ids(search, org, "bicycle red") == [both.id]

    async def test_the_better_match_comes_first(self, search: Search, org: UUID) -> None:
        near, exact = document(org, "", "bicycles"), document(org, "", "bicycle")
        await self.put(search, near, exact)
        assert await self.ids(search, org, "bicycle") == [exact.id, near.id]

    async def test_nothing_of_another_organization(self, search: Search, org: UUID) -> None:
        other = new_id()
        ours, theirs = document(org, "", "parcel"), document(other, "", "parcel")
        await self.put(search, ours, theirs)
        assert await self.ids(search, org, "parcel") == [ours.id]
        assert await self.ids(search, new_id(), "parcel") == []

    async def test_only_the_kinds_that_were_asked_for(self, search: Search, org: UUID) -> None:
        message, contact = document(org, "Ada"), document(org, "Ada", kind=Kind.CONTACT, conversation_id=None)
        await self.put(search, message, contact)
        assert await self.ids(search, org, "ada", [Kind.CONTACT]) == [contact.id]
        assert set(await self.ids(search, org, "ada")) == {message.id, contact.id}
        assert await self.ids(search, org, "ada", []) == []

    async def test_a_newer_version_takes_the_place_and_an_older_never(
        self, search: Search, org: UUID
    ) -> None:
        first = document(org, "Ada Byron", kind=Kind.CONTACT)
        second, third = (
            replace(first, title="Ada King", version=2),
            replace(first, title="Ada Lovelace", version=3),
        )
        await self.put(search, second, first)
        assert await self.ids(search, org, "king") == [first.id]
        await self.put(search, third)
        await self.put(search, second)
        assert await self.ids(search, org, "king") == []
        assert await self.ids(search, org, "lovelace") == [first.id]

    async def test_indexing_again_changes_nothing(self, search: Search, org: UUID) -> None:
        kept = document(org, "", "parcel")
        for _ in range(3):
            await self.put(search, kept, kept)
        assert await self.ids(search, org, "parcel") == [kept.id]

    async def test_removing(self, search: Search, org: UUID) -> None:
        gone, kept = document(org, "", "parcel"), document(org, "", "parcel")
        await self.put(search, gone, kept)
        await search.remove([(org, gone.kind, gone.id), (org, Kind.CONTACT, new_id())])
        await self.refresh(search)
        assert await self.ids(search, org, "parcel") == [kept.id]

    async def test_deleting_a_person_deletes_theirs_alone_at_once(self, search: Search, org: UUID) -> None:
        other = new_id()
        theirs = [
            document(org, "", "parcel", person="contact:1"),
            document(org, "", "parcel", person="identity:2", kind=Kind.CONTACT),
        ]
        kept = document(org, "", "parcel", person="contact:3")
        elsewhere = document(other, "", "parcel", person="contact:1")
        await search.index([*theirs, kept, elsewhere])
        await search.delete_person(org, ["contact:1", "identity:2"])
        assert await self.ids(search, org, "parcel") == [kept.id]
        assert await self.ids(search, other, "parcel") == [elsewhere.id]
        await search.delete_person(org, ["contact:1"])

    async def test_pages_hold_everything_once(self, search: Search, org: UUID) -> None:
        stored = [document(org, "", "parcel " + "x" * (n % 5)) for n in range(23)]
        await self.put(search, *stored)
        seen: list[UUID] = []
        after: Key | None = None
        while hits := await search.search(org, "parcel", [Kind.MESSAGE], 5, after):
            seen += [hit.id for hit in hits]
            after = hits[-1].key
        assert sorted(seen) == sorted(kept.id for kept in stored)

    @pytest.mark.parametrize("query", ["", "   ", "!!!", "'", "%", "\0", "()&|", "\\", '"'])
    async def test_a_query_without_words_finds_nothing(self, search: Search, org: UUID, query: str) -> None:
        await self.put(search, document(org, "", "parcel"))
        assert await self.ids(search, org, query) == []

    @pytest.mark.parametrize(
        "query", ["parcel' OR '1'='1", "parcel) -- ", "parcel %s $1", "parcel AND *", "%parcel%L"]
    )
    async def test_what_looks_like_a_language_is_only_words(
        self, search: Search, org: UUID, query: str
    ) -> None:
        await self.put(search, document(org, "", "something else"))
        assert await self.ids(search, org, query) == []

    async def test_many_words_and_long_texts(self, search: Search, org: UUID) -> None:
        kept = document(org, "", "parcel " * 1100)
        await self.put(search, kept)
        assert await self.ids(search, org, "parcel " * 100) == [kept.id]


class TestPostgresSearch(SearchConformance):
    """Trigrams."""

    @pytest.fixture
    async def search(self, app: App) -> Search:
        return PostgresSearch(app.db)

    async def test_the_function_refuses_an_organization_that_is_not_the_transactions(
        self, app: App, org: UUID
    ) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.db.transaction(new_id()) as tx:
                await tx.fetch(
                    "SELECT * FROM find_documents($1, ARRAY['x'], ARRAY['message'], 10, NULL, NULL)", org
                )

    async def test_the_table_itself_is_protected(self, search: Search, app: App, org: UUID) -> None:
        await self.put(search, document(org, "", "parcel"))
        async with app.db.transaction(new_id()) as tx:
            assert await tx.fetchval("SELECT count(*) FROM search_documents") == 0

    async def test_the_trigram_index_is_used(self, app: App, org: UUID, superuser: Superuser) -> None:
        """In 20,000 documents of one organization, past row-level security."""
        async with superuser(app) as admin:
            await admin.execute(
                "INSERT INTO search_documents"
                " SELECT $1, 'message', gen_random_uuid(), 1, '', '', repeat(md5(n::text) || ' ', 12),"
                " NULL, NULL, now()"
                " FROM generate_series(1, 20000) AS n",
                org,
            )
            await admin.execute("ANALYZE search_documents; SET search_path = analytics, extensions")
            plan = await admin.fetch(
                "EXPLAIN SELECT * FROM search_documents WHERE organization_id = $1 AND 'parcel' <% text", org
            )
        assert "search_documents_text" in "\n".join(row[0] for row in plan)


class TestElasticsearchSearch(SearchConformance):
    """The real server, embedded."""

    @pytest.fixture(scope="class")
    @classmethod
    async def shared(cls) -> AsyncIterator[ElasticsearchSearch]:
        """Indices of this run's own, deleted afterwards."""
        for program in ("java", "mvn"):
            if shutil.which(program) is None:
                pytest.skip(
                    f"Elasticsearch cannot be built without {program}: the suite ran on Postgres only"
                )
        url = Instance.load("test").elasticsearch_url
        assert url, "the test instance's search node is not built: start the test servers first"
        search = ElasticsearchSearch(url, f"t-{new_id()}")
        try:
            yield search
        finally:
            await search.drop()
            await search.close()

    @pytest.fixture
    async def search(self, shared: ElasticsearchSearch) -> Search:
        return shared

    async def refresh(self, search: Any) -> None:
        await search.refresh()

    async def test_it_is_not_awaited_in_a_transaction(self, search: Search, app: App, org: UUID) -> None:
        with pytest.raises(OutsideCallInTransactionError):
            async with app.db.transaction(org):
                await search.search(org, "parcel", list(Kind), 10)

    async def test_a_server_that_is_away_is_said_so(self, org: UUID) -> None:
        search = ElasticsearchSearch("http://127.0.0.1:1", "t-away")
        with pytest.raises(UnavailableError):
            await search.search(org, "parcel", list(Kind), 10)
        await search.close()

    async def test_the_fold_runs_on_it(
        self, shared: ElasticsearchSearch, open_app: OpenApp, org: UUID, events: Events, archive: Archive
    ) -> None:
        url, prefix = Instance.load("test").elasticsearch_url, f"t-{new_id()}"
        async with open_app(elasticsearch_url=url, documents_prefix=prefix) as app:
            message = events.received()
            await archive(app, [events.raw(message, org)])
            assert await seal_next(app.db)
            assert await fold_next(app, app.own.search)
            await app.own.search.refresh()
            assert await self.ids(app.own.search, org, "parcel") == [message.message_id]
            await erase_person(app, org, f"identity:{message.identity_id}")
            assert await self.ids(app.own.search, org, "parcel") == []
            await app.own.search.drop()


def test_words_have_neither_case_nor_accents() -> None:
    assert words_of("ÉCOLE, Straße: Їжак\0") == ["ecole", "strasse", "іжак"]
    assert terms_of("  Über-Größe, 42! über ") == ["uber", "grosse", "42"]
    assert len(terms_of(" ".join(map(str, range(100))))) == 8


def test_an_excerpt_is_around_the_word() -> None:
    body = "x " * 200 + "parcel" + " y" * 200
    assert "parcel" in excerpt(body, "Parcel")
    assert len(excerpt(body, "parcel")) <= 250
    assert excerpt("short", "nothing") == "short"
