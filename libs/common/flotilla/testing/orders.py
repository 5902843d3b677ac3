"""Every order that a service's lists offer, walked in small pages: complete, in order, and turned round the reverse."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from flotilla.instance import Instance
from flotilla.testing.harness import Client

NAMES: Final = ("Zander", "alder", "Birch", "Birch", "Ünal", "Birch")
"""With equals, and of different cases and letters."""


LEAST: Final = 4


async def check_orders(
    service: str, client: Client, ids: Mapping[str, str], *, without: Collection[str] = ()
) -> list[str]:
    """Walk all lists of a service that offer orders: the names of those walked.

    AssertionError where one is wrong, or has too few rows to tell. `ids`: path parameters of lists inside of
    something; without them it is left out, as are those named in `without`. Nothing may be written meanwhile.
    """
    walked = []
    for name, path, sorts in _lists(service):
        if name not in without and all(part[1:-1] in ids for part in path.split("/") if part.startswith("{")):
            found = await _check(client, path.format_map(ids), sorts)
            assert found >= LEAST, (name, found)
            await _refused(client, path.format_map(ids), sorts)
            walked.append(name)
    return walked


def _lists(service: str) -> Iterator[tuple[str, str, list[str]]]:
    """Name, path and orders of each list that offers some."""
    written = Instance.load("test").root / "contracts" / "openapi.json"
    for path, operations in json.loads(written.read_text())["paths"].items():
        read = operations.get("get", {})
        for parameter in read.get("parameters", ()):
            if parameter.get("name") == "sort" and read["x-service"] == service:
                yield read["operationId"], path, parameter["schema"]["enum"]


async def _check(client: Client, path: str, sorts: Sequence[str]) -> int:
    ids: dict[str, list[str]] = {}
    for sort in sorts:
        items = await _read(client, path, sort, 2)
        ids[sort] = [item["id"] for item in items]
        assert len(set(ids[sort])) == len(ids[sort]), (path, sort, "twice")
        assert ids[sort] == [item["id"] for item in await _read(client, path, sort, 200)], (path, sort)
        places = _places(items, sort)
        assert places == sorted(places, reverse=sort.startswith("-")), (path, sort, places)
    for sort in sorts:
        if not sort.startswith("-"):
            assert ids[f"-{sort}"] == ids[sort][::-1], (path, sort, "reversed")
    assert len({frozenset(each) for each in ids.values()}) == 1, (path, "complete")
    return len(ids[sorts[0]])


async def _read(client: Client, path: str, sort: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = {"sort": sort, "limit": str(limit)}
    while True:
        answer = await client.get(f"{path}?{urlencode(query)}")
        assert answer.status == 200, answer.body
        page = answer.json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def _places(items: Sequence[dict[str, Any]], sort: str) -> list[Any]:
    """What the items are sorted by, those that have it; `created_at` goes by ids, which grow with time."""
    name = sort.removeprefix("-")
    field = {"created_at": "id"}.get(name, name)
    if field == "last_message_at":
        return [item["last_message"]["at"] for item in items]
    values = [item[field] for item in items]
    values = [value["amount_minor"] if isinstance(value, dict) else value for value in values]
    return [value for value in values if value is not None]


async def _refused(client: Client, path: str, sorts: Sequence[str]) -> None:
    """A cursor of another order, and an order that there is not."""
    page = (await client.get(f"{path}?limit=1&sort={sorts[0]}")).json()
    query = urlencode({"sort": sorts[1], "cursor": page["next_cursor"]})
    for asked, parameter in ((query, "cursor"), ("sort=nonsense", "sort")):
        answer = await client.get(f"{path}?{asked}")
        assert answer.status == 422, answer.body
        assert answer.json()["errors"][0]["parameter"] == parameter, answer.body
