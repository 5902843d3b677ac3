"""The way to Elasticsearch, encrypted: neither a plain connection nor another authority's certificate is taken."""

from pathlib import Path

import pytest
from elasticsearch import ApiError, TransportError
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.native.authority import Authority
from flotilla.security.tls import trusting
from flotilla.testing.tls_front import encrypted
from flotilla_analytics.domain.documents import Kind
from flotilla_analytics.search.elasticsearch import ElasticsearchSearch

from services.analytics.tests.test_search import document


async def test_only_who_has_a_certificate_of_our_authority_is_believed(tmp_path: Path) -> None:
    plain = Instance.load("test").elasticsearch_url
    if not plain:
        pytest.skip("Elasticsearch is not built here")
    ours, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "stranger")
    stranger.issue(["front"])
    prefix, org = f"t_{new_id().hex}", new_id()
    async with encrypted(plain, ours, tmp_path / "nginx") as address:
        search = ElasticsearchSearch(address, prefix, trusting(ours.ca_file))
        kept = document(org, "Ada", "Where is my parcel?")
        try:
            await search.index([kept])
            await search.refresh()
            assert [hit.id for hit in await search.search(org, "parcel", [Kind.MESSAGE], 10)] == [kept.id]
        finally:
            await search.drop()
            await search.close()
        for url, authority in (
            (address.replace("https", "http"), None),
            (address, stranger),
            (address, None),
        ):
            refused = ElasticsearchSearch(url, prefix, trusting(authority.ca_file) if authority else None)
            with pytest.raises((TransportError, ApiError)):
                await refused.index([kept])
            await refused.close()
