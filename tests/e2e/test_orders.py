"""Every order that a list offers, walked in small pages: complete, in order, and the other way round the reverse."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flotilla.testing import eventually
from flotilla.testing.people import Person

from tests.e2e.arranged import NOWHERE
from tests.e2e.conftest import NewOffice
from tests.e2e.filled import first, stages_of
from tests.e2e.routes import METHODS

NAMES = ("Zander", "alder", "Birch", "Birch", "Ünal", "Birch")
"""With equals, and of different cases and letters."""
EMPTY_HERE = {"list_enrolments", "list_runs", "list_counterparty_alerts"}
"""What no request makes at once: their services' tests have rows of them."""


async def _filled(owner: Person) -> dict[str, str]:
    """Several of each thing, some equal and some without what they are sorted by; ids of those lists are inside of."""
    euros: list[dict[str, Any]] = [
        {"amount_minor": minor, "currency": "EUR"} for minor in (900, 100, 500, 500, 100, 300)
    ]
    days = ["2031-03-01", None, "2030-01-01", "2030-01-01", None, "2032-01-01"]
    moments = [day and f"{day}T09:00:00Z" for day in days]
    await stages_of(owner)
    steps = [{"type": "send", "text": "Still there?"}]
    action = {"type": "create_task", "title": "Call"}
    condition = {"field": "name", "operator": "is_set"}
    ids: dict[str, str] = {}
    for name, amount, day, moment in zip(NAMES, euros, days, moments, strict=True):
        contact = await owner.ok("POST", "/v1/contacts", {"name": name} if day else {})
        company = await owner.ok("POST", "/v1/companies", {"name": name})
        await owner.ok("POST", "/v1/notes", {"text": name, "company_id": company["id"]})
        await owner.ok("POST", "/v1/tasks", {"title": name, "due_at": moment})
        value = amount if day else None
        await owner.ok("POST", "/v1/deals", {"title": name, "value": value, "expected_close_on": day})
        await owner.ok("POST", "/v1/segments", {"name": name, "condition": condition})
        await owner.ok("POST", "/v1/imports", {"name": f"{name}.csv"})
        sequence = await owner.ok("POST", "/v1/sequences", {"name": name, "steps": steps})
        await owner.ok("POST", "/v1/campaigns", {"name": name, "message": {"text": "Our sale!"}})
        wanted = {
            "name": name,
            "trigger": "deal.created.v1",
            "actions": [action],
            "position": amount["amount_minor"],
        }
        rule = await owner.ok("POST", "/v1/rules", wanted)
        line = {"description": "Mugs", "unit_price": amount}
        draft: dict[str, Any] = {"customer": {"name": name}, "currency": "EUR", "lines": [line]}
        invoice = await owner.ok(
            "POST", "/v1/invoices", {**draft, "due_in_days": amount["amount_minor"] % 300}
        )
        if day:
            await owner.ok("POST", f"/v1/invoices/{invoice['id']}/issue")
            ids["invoice_id"] = invoice["id"]
        await owner.ok("POST", "/v1/counterparties", {"name": name, "country": "DE", "monitoring": False})
        await owner.ok("POST", "/v1/teams", {"name": name})
        await owner.ok("POST", "/v1/inboxes", {"name": f"{name} {len(ids)} {contact['id']}"})
        address = f"{contact['id']}@example.org"
        await owner.ok("POST", "/v1/invitations", {"email": address, "role": "viewer"})
        partner = {"kind": "webhook", "name": name, "types": ["campaign.*"], "url": f"{NOWHERE}/in"}
        subscription = await owner.ok("POST", "/v1/partner-subscriptions", partner)
        ids |= {"sequence_id": sequence["id"], "rule_id": rule["id"], "subscription_id": subscription["id"]}
    for _ in range(3):
        await owner.ok("POST", f"/v1/partner-subscriptions/{ids['subscription_id']}/test")
        paid = {"amount": {"amount_minor": 1, "currency": "EUR"}}
        await owner.ok("POST", f"/v1/invoices/{ids['invoice_id']}/payments", paid)
    await _keys(owner)
    await _booked(owner)
    return ids


async def _keys(owner: Person) -> None:
    for name in NAMES[1:5]:
        await owner.ok("POST", "/v1/api-keys", {"name": name, "scopes": ["contacts:read"]})
        await owner.ok("POST", "/v1/oauth-clients", {"name": name, "scopes": ["contacts:read"]})


async def _booked(owner: Person) -> None:
    hours = [{"weekday": day, "opens": "00:00", "closes": "23:59"} for day in range(1, 8)]
    await owner.ok("PUT", f"/v1/bookings/hosts/{owner.user['id']}", {"time_zone": "Etc/UTC", "hours": hours})
    begin = datetime.now(UTC) + timedelta(days=1)
    window = {"from": begin.isoformat(), "to": (begin + timedelta(days=7)).isoformat()}
    await first(owner, f"/v1/bookings/slots?{urlencode(window)}")
    slots = (await owner.ok("GET", f"/v1/bookings/slots?{urlencode(window)}"))["items"]
    contact = await first(owner, "/v1/contacts")
    for slot in slots[20:0:-8]:
        await owner.ok("POST", "/v1/bookings", {"contact_id": contact["id"], "starts_at": slot["starts_at"]})


def _sorted_lists(document: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Name, path and orders of each list that offers some."""
    for path, operations in document["paths"].items():
        for operation in (operations[method] for method in METHODS if method in operations):
            for parameter in operation.get("parameters", ()):
                if parameter.get("name") == "sort":
                    yield operation["operationId"], path, parameter["schema"]["enum"]


async def _read(owner: Person, path: str, sort: str, limit: int) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        query = {"sort": sort, "limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        answer = await owner.ok("GET", f"{path}?{urlencode(query)}")
        found += answer["items"]
        cursor = answer["next_cursor"]
        if cursor is None:
            return found


def _places(items: Sequence[dict[str, Any]], sort: str) -> list[Any]:
    """What the items are sorted by, those that have it; `created_at` goes by ids, which grow with time."""
    field = {"created_at": "id"}.get(name := sort.removeprefix("-"), name)
    if field == "last_message_at":
        found = [item["last_message"]["at"] for item in items]
    else:
        found = [item[field] for item in items]
    values = [value["amount_minor"] if isinstance(value, dict) else value for value in found]
    return [value for value in values if value is not None]


async def _check(owner: Person, path: str, sorts: Sequence[str]) -> int:
    """How many there are; AssertionError where an order of them is none."""
    ids: dict[str, list[str]] = {}
    for sort in sorts:
        items = await _read(owner, path, sort, 2)
        ids[sort] = [item["id"] for item in items]
        assert len(set(ids[sort])) == len(ids[sort]), (path, sort, "twice")
        assert ids[sort] == [item["id"] for item in await _read(owner, path, sort, 200)], (path, sort)
        places = _places(items, sort)
        assert places == sorted(places, reverse=sort.startswith("-")), (path, sort, places)
    for sort in sorts:
        if not sort.startswith("-"):
            assert ids[f"-{sort}"] == ids[sort][::-1], (path, sort, "reversed")
    assert len({frozenset(each) for each in ids.values()}) == 1, (path, "complete")
    return len(ids[sorts[0]])


async def _refused(owner: Person, path: str, sorts: Sequence[str]) -> None:
    """A cursor of another order, and an order that there is not."""
    page = await owner.ok("GET", f"{path}?limit=1&sort={sorts[0]}")
    if page["next_cursor"] is not None:
        query = urlencode({"sort": sorts[1], "cursor": page["next_cursor"]})
        answer = await owner.call("GET", f"{path}?{query}")
        assert (answer.status, answer.json()["errors"][0]["parameter"]) == (422, "cursor"), path
    answer = await owner.call("GET", f"{path}?sort=nonsense")
    assert (answer.status, answer.json()["type"]) == (422, "/problems/unprocessable"), answer.body
    assert answer.json()["errors"][0]["parameter"] == "sort", answer.body


async def test_every_order_of_every_list(new_office: NewOffice) -> None:
    office = await new_office("Orders")
    owner, ids = office.owner, await _filled(office.owner)
    for chat in (1, 2, 3):
        await office.customer_writes("Hello, how long does delivery to Germany take?", chat=chat)
    for path in ("/v1/leads", "/v1/drafts", "/v1/conversations"):

        async def three(path: str = path) -> bool:
            return len((await owner.ok("GET", path))["items"]) >= 3

        await eventually(three, what=f"three of {path}")
    few = {}
    lists = list(_sorted_lists(await owner.ok("GET", "/openapi.json")))
    assert len(lists) > 25
    for name, path, sorts in lists:
        path = path.format_map(ids)

        async def in_order(path: str = path, sorts: Sequence[str] = sorts) -> int | None:
            # What customers wrote is still being worked on: a list that changes while it is read is read again.
            before = await owner.ok("GET", f"{path}?limit=200")
            try:
                return await _check(owner, path, sorts) + 1
            except AssertionError:
                if before == await owner.ok("GET", f"{path}?limit=200"):
                    raise
                return None

        found = await eventually(in_order, what=f"{path} at rest")
        assert found is not None
        if found < 4 and name not in EMPTY_HERE:
            few[name] = found - 1
        await _refused(owner, path, sorts)
    assert few == {"list_users": 1}
