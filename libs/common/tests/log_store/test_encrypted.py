"""The way to the store of logs, encrypted: neither a plain connection nor another authority's certificate is taken."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from flotilla.instance import Instance
from flotilla.log_store.index import LogIndex, StoreAwayError
from flotilla.native.authority import Authority
from flotilla.security.tls import trusting
from flotilla.testing.tls_front import encrypted


async def test_only_who_has_a_certificate_of_our_authority_is_believed(tmp_path: Path) -> None:
    plain = Instance.load("test").elasticsearch_url
    if not plain:
        pytest.skip("Elasticsearch is not built here")
    ours, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "stranger")
    stranger.issue(["front"])
    async with encrypted(plain, ours, tmp_path / "nginx") as address:

        def days(url: str, authority: Authority | None) -> object:
            index = LogIndex(url, f"t_{uuid4().hex}", trusting(authority.ca_file) if authority else None)
            try:
                return index.days()
            finally:
                index.close()

        assert await asyncio.to_thread(days, address, ours) == []
        for url, authority in (
            (address.replace("https", "http"), None),
            (address, stranger),
            (address, None),
        ):
            with pytest.raises(StoreAwayError):
                await asyncio.to_thread(days, url, authority)
