"""Every order that a service's lists offer, walked in small pages: complete, in order, and turned round the reverse."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from flotilla.instance import Instance
from flotilla.testing.harness import Client

NAMES: Final = ("Zander", "alder", "Birch", "Birch", "Ünal", "Birch")
"""With equals, and of different cases and letters."""


LEAST: Final = 4
EVERYWHERE: Final = ("/v1/parked/", "/v1/sagas/")


async def check_orders(
    service: str,
    client: Client,
    ids: Mapping[str, str],
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
) -> list[str]:
    """Walk all lists of a service that offer orders: the names of those walked.

    AssertionError where one is wrong, or has too few rows to tell. `ids`: path parameters of lists inside of
    something, all of them. Left out are those named in `without`, or not in `only`, and those that every service has
    (parked events, sagas). Nothing may be written meanwhile.
    """
    walked = []
    for name, path, sorts in _lists(service):
        if name in without or (only is not None and name not in only):
            continue
        inside = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        assert ids.keys() >= set(inside), (
            f"{name} is inside of something: give its {inside}, or leave it out by name"
        )
        await check_list(client, path.format_map(ids), sorts)
        walked.append(name)
    return walked


async def check_list(client: Client, path: str, sorts: Sequence[str], **filters: str) -> None:
    """Walk one list in these orders, with these query parameters. AssertionError: as above."""
    found = await _check(client, path, sorts, filters)
    assert found >= LEAST, (path, found)
    await _refused(client, path, sorts, filters)


def _lists(service: str) -> Iterator[tuple[str, str, list[str]]]:
    """Name, path and orders of each list that offers some."""
    written = Instance.load("test").root / "contracts" / "openapi.json"
    for path, operations in json.loads(written.read_text())["paths"].items():
        read = operations.get("get", {})
        ours = read.get("x-service") == service and not path.startswith(EVERYWHERE)
        for parameter in read.get("parameters", ()):
            if ours and parameter.get("name") == "sort":
                yield read["operationId"], path, parameter["schema"]["enum"]


async def _check(client: Client, url: str, sorts: Sequence[str], filters: Mapping[str, str]) -> int:
    ids: dict[str, list[str]] = {}
    for sort in sorts:
        items = await _read(client, url, sort, 2, filters)
        ids[sort] = [_identity(item) for item in items]
        assert len(set(ids[sort])) == len(ids[sort]), (url, sort, "twice")
        whole = await _read(client, url, sort, 200, filters)
        assert ids[sort] == [_identity(item) for item in whole], (url, sort)
        places = _places(items, sort)
        assert places == sorted(places, reverse=sort.startswith("-")), (url, sort, places)
    for sort in sorts:
        if not sort.startswith("-"):
            assert ids[f"-{sort}"] == ids[sort][::-1], (url, sort, "reversed")
    assert len({frozenset(each) for each in ids.values()}) == 1, (url, "complete")
    return len(ids[sorts[0]])


async def _read(
    client: Client, url: str, sort: str, limit: int, filters: Mapping[str, str]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = {**filters, "sort": sort, "limit": str(limit)}
    while True:
        answer = await client.get(f"{url}?{urlencode(query)}")
        assert answer.status == 200, answer.body
        page = answer.json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def _identity(item: dict[str, Any]) -> str:
    """Its id, or all that it says where it has none."""
    return str(item["id"]) if item.get("id") else json.dumps(item, sort_keys=True)


def _places(items: Sequence[dict[str, Any]], sort: str) -> list[Any]:
    """What the items are sorted by, those that have it; `created_at` goes by ids, which grow with time."""
    name = sort.removeprefix("-")
    field = {"created_at": "id"}.get(name, name)
    return [value for value in (_value(item, field) for item in items) if value is not None]


def _value(item: dict[str, Any], field: str) -> Any:
    in_inbox = field == "last_message_at" and field not in item
    value = item["last_message"]["at"] if in_inbox else item[field]
    if isinstance(value, dict):
        return value["amount_minor"]
    moment = value is not None and (field in ("at", "time") or field.endswith("_at"))
    return datetime.fromisoformat(value) if moment else value


async def _refused(client: Client, url: str, sorts: Sequence[str], filters: Mapping[str, str]) -> None:
    """A cursor of another order, and an order that there is not."""
    first = urlencode({**filters, "limit": "1", "sort": sorts[0]})
    page = (await client.get(f"{url}?{first}")).json()
    query = {"sort": sorts[1], "cursor": page["next_cursor"]}
    for asked, parameter in ((query, "cursor"), ({"sort": "nonsense"}, "sort")):
        answer = await client.get(f"{url}?{urlencode({**filters, **asked})}")
        assert answer.status == 422, answer.body
        assert answer.json()["errors"][0]["parameter"] == parameter, answer.body
