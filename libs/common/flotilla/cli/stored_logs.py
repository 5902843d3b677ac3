"""Lines of the logs as the store of logs has them, by the same filters as those of files."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from flotilla.cli.log_lines import LogLine, Wanted
from flotilla.cli.screen import failed
from flotilla.instance import Instance
from flotilla.log_store.index import LogIndex, StoreAwayError
from flotilla.security.tls import trusting


def stored(instance: Instance, service: str | None, wanted: Wanted, most: int) -> list[LogLine]:
    """The latest `most` of them, oldest first; the command fails where the store cannot be asked."""
    tls = trusting(instance.ca_file) if instance.tls else None
    index = LogIndex(instance.elasticsearch_url, instance.documents_prefix, tls)
    try:
        found = index.search(filters(service, wanted), wanted.since, most)
    except StoreAwayError as error:
        raise failed(
            f"the store of logs does not answer ({error}); without --since the files are read"
        ) from error
    finally:
        index.close()
    return [_line(fields) for fields in found]


def filters(service: str | None, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """As Elasticsearch asks for them."""
    exact = {
        "service": service,
        "org": wanted.org,
        "correlation_id": wanted.correlation,
        "level": wanted.level,
        "actor": wanted.actor,
        "route": wanted.route,
        "request_id": wanted.request,
    }
    yield from ({"term": {name: value}} for name, value in exact.items() if value is not None)
    if wanted.status is not None:
        hundred = wanted.status.endswith("xx")
        yield {"prefix" if hundred else "term": {"status": wanted.status[:1] if hundred else wanted.status}}
    if wanted.caller is not None:
        day, names = wanted.since or datetime.now(UTC), set[str]()
        while day.date() <= datetime.now(UTC).date():
            names |= wanted.caller.on(day.date().isoformat())
            day += timedelta(days=1)
        yield {"terms": {"caller": sorted(names)}}


def _line(fields: dict[str, Any]) -> LogLine:
    fields.pop("offset", None)
    service, text = str(fields.get("service", "")), fields.get("text")
    if set(fields) <= {"service", "ts", "text"}:
        return LogLine(service, str(text))
    return LogLine(service, "", fields)
