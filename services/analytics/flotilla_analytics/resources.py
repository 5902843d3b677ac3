"""What the service holds besides its database: the search, the files, the key of its links."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flotilla.app import App
from flotilla.store.files import Files

from flotilla_analytics.links import PURPOSE, Links
from flotilla_analytics.search.base import Search
from flotilla_analytics.search.postgres import PostgresSearch


@dataclass(frozen=True)
class Resources:
    """`App.own` of analytics."""

    search: Search
    files: Files
    links: Links


@asynccontextmanager
async def open_resources(app: App) -> AsyncIterator[Resources]:
    """Elasticsearch where its address is set, else Postgres."""
    files = Files.open(app.settings.files_url, app.keyring)
    links = Links(app.settings.public_url.rstrip("/"), app.keyring.derive_all(PURPOSE))
    if not app.settings.elasticsearch_url:
        yield Resources(PostgresSearch(app.db), files, links)
        return
    # The client takes 20 MB: only where it is used.
    from flotilla_analytics.search.elasticsearch import ElasticsearchSearch

    search = ElasticsearchSearch(
        app.settings.elasticsearch_url, app.settings.documents_prefix, app.tls.client if app.tls else None
    )
    try:
        yield Resources(search, files, links)
    finally:
        await search.close()
