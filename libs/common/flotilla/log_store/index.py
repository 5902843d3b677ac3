"""The logs in Elasticsearch: `<prefix>-logs-<day>`, a document a line."""

import ssl
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, TransportError

from flotilla.log_store.files import Line

KEYWORD: Final = {"type": "keyword", "ignore_above": 512}
FILTERED: Final = (
    *("level", "service", "event", "org", "correlation_id", "trace_id"),
    *("actor", "route", "status", "request_id", "caller"),
)
"""Fields by which lines are looked for; all others are shown only."""
MAPPINGS: Final = {
    "dynamic": False,
    "properties": {
        "ts": {"type": "date", "ignore_malformed": True},
        "offset": {"type": "long"},
        **dict.fromkeys(FILTERED, KEYWORD),
    },
}
SETTINGS: Final = {
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    "refresh_interval": "1s",
    "codec": "best_compression",
}
SECONDS: Final = 30.0
THERE_ALREADY: Final = 409
PASSING: Final = frozenset({429, 502, 503, 504})
"""What ends by itself: the store has too much to do, or is not up yet."""


class StoreAwayError(RuntimeError):
    """The store cannot be reached, or takes nothing now: nothing is lost, for it is still in the files."""


class LogIndex:
    """The indices of one fleet."""

    def __init__(self, url: str, prefix: str, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: whom to believe that it is the server, where that is no public authority."""
        options: dict[str, Any] = {"ssl_context": tls} if tls else {}
        self._client = Elasticsearch(url, request_timeout=SECONDS, max_retries=0, **options)
        self._prefix = f"{prefix}-logs"
        self._made = False

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def write(self, lines: Sequence[Line]) -> int:
        """Keep them, each once however often it is sent: how many were refused for what is in them.

        StoreAwayError where some may not have been kept: all are to be sent again.
        """
        try:
            self._make()
            answer = self._client.bulk(operations=self._operations(lines))
        except (TransportError, ApiError) as error:
            raise StoreAwayError(type(error).__name__) from error
        statuses = [item["create"]["status"] for item in answer["items"]]
        if away := [status for status in statuses if status in PASSING or status >= 500]:
            raise StoreAwayError(f"{len(away)} of {len(statuses)} lines: {away[0]}")
        return sum(status >= 400 and status != THERE_ALREADY for status in statuses)

    def search(
        self, filters: Iterable[dict[str, Any]], since: datetime | None, most: int
    ) -> list[dict[str, Any]]:
        """The latest `most` lines that all filters take, oldest first; StoreAwayError where it cannot be asked."""
        wanted = list(filters)
        if since is not None:
            wanted.append({"range": {"ts": {"gte": since.isoformat()}}})
        order = [
            {"ts": {"order": "desc", "unmapped_type": "date"}},
            {"offset": {"order": "desc", "unmapped_type": "long"}},
        ]
        try:
            answer = self._client.search(
                index=f"{self._prefix}-*",
                query={"bool": {"filter": wanted}},
                sort=order,
                size=most,
                ignore_unavailable=True,
                allow_no_indices=True,
            )
        except (TransportError, ApiError) as error:
            raise StoreAwayError(type(error).__name__) from error
        return [hit["_source"] for hit in reversed(answer["hits"]["hits"])]

    def days(self) -> list[date]:
        """Of which there are lines."""
        try:
            names = list(self._client.indices.get(index=f"{self._prefix}-*", allow_no_indices=True))
        except (TransportError, ApiError) as error:
            raise StoreAwayError(type(error).__name__) from error
        return sorted(date.fromisoformat(name[-10:].replace(".", "-")) for name in names)

    def forget(self, today: date, days: int) -> list[date]:
        """Remove the indices that are older than so many days; which."""
        old = [day for day in self.days() if day < today - timedelta(days=days)]
        for day in old:
            try:
                self._client.indices.delete(index=self._name(day.isoformat()), ignore_unavailable=True)
            except (TransportError, ApiError) as error:
                raise StoreAwayError(type(error).__name__) from error
        return old

    def _operations(self, lines: Sequence[Line]) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        for line in lines:
            made.append({"create": {"_index": self._name(line.fields["ts"]), "_id": line.id}})
            made.append({**line.fields, "offset": line.position.offset})
        return made

    def _make(self) -> None:
        if self._made:
            return
        self._client.indices.put_index_template(
            name=self._prefix,
            index_patterns=[f"{self._prefix}-*"],
            template={"settings": SETTINGS, "mappings": MAPPINGS},
        )
        self._made = True

    def _name(self, moment: str) -> str:
        """Of an RFC 3339 time, or a day."""
        return f"{self._prefix}-{moment[:10].replace('-', '.')}"
