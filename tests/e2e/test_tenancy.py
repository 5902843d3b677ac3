"""Two organizations side by side, both full of data: neither can tell that the other's things exist, and whatever
somebody does in one stands in its audit log."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from flotilla.fleet import Fleet
from flotilla.testing.people import Person

from tests.e2e.audited import Deed, told_late, untold
from tests.e2e.conftest import NewOffice
from tests.e2e.filled import Full
from tests.e2e.pairs import side_by_side
from tests.e2e.routes import Call, calls

TRIGGERS = "/v1/triggers/"
EVERYBODYS = (TRIGGERS, "/v1/bd-offers/")
"""What rules may wait for is the same for all, and all may see what is for sale; test_market has whose an offer is."""
ONES_ACCESS = ("/v1/sessions/", "/v1/users/")
"""Whoever changes these may be out: they come last."""


async def routes_of(person: Person) -> list[Call]:
    """Every operation that needs somebody to be signed in, from the document the gateway serves."""
    found = calls(await person.ok("GET", "/openapi.json"))
    return [call for call in found if not call.public]


async def test_anothers_things_are_not_there(new_office: NewOffice, fleet: Fleet) -> None:
    ours, theirs = await side_by_side(new_office, fleet)
    about_one = [call for call in await routes_of(ours.owner) if call.parameters]
    about_one = [call for call in about_one if not call.path.startswith(EVERYBODYS)]
    assert len(about_one) > 25
    found: dict[str, object] = {}
    for call in about_one:
        answer = await theirs.owner.call(call.method, call.at(ours.ids), call.body)
        if answer.status != 404 or answer.headers.get("Content-Type") != "application/problem+json":
            found[f"{call.method} {call.path}"] = (answer.status, answer.body[:200])
    assert found == {}
    missing = {}
    for call in about_one:
        if call.method == "GET":
            answer = await ours.owner.call("GET", call.at(ours.ids))
            if answer.status != 200:
                missing[call.path] = (answer.status, answer.body[:200])
    assert missing == {}
    same = [await each.owner.ok("GET", f"{TRIGGERS}deal.created.v1") for each in (ours, theirs)]
    assert same[0] == same[1]
    # That there was something to hide is true of what is changed as well: whose it is does not hear 404.
    org, deeds = UUID((await ours.owner.ok("GET", "/v1/organization"))["id"]), []
    for call in changes(about_one):
        began = datetime.now(UTC)
        answer = await ours.owner.call(call.method, call.at(ours.ids), call.body)
        if answer.status in (401, 403, 404):
            missing[f"{call.method} {call.path}"] = (answer.status, answer.body[:200])
        if answer.status < 300 and call.keeps:
            deeds.append(Deed(call.name, began, datetime.now(UTC)))
    assert missing == {}
    assert len(deeds) > 50
    assert await untold(fleet.instance, org, UUID(ours.owner.user["id"]), deeds) == []
    assert await told_late(fleet, ours.owner.session) == []


def changes(about_one: Iterable[Call]) -> list[Call]:
    """Those that change something, in an order in which none takes away what another needs."""

    def rank(call: Call) -> tuple[bool, bool, int]:
        return call.path.startswith(ONES_ACCESS), call.method == "DELETE", -len(call.path.split("/"))

    return sorted((call for call in about_one if call.method != "GET"), key=rank)


async def test_lists_hold_ones_own_only(pair: list[Full]) -> None:
    ours, theirs = pair
    lists = [call for call in await routes_of(ours.owner) if call.method == "GET" and not call.parameters]
    leaked = {}
    for call in lists:
        if call.path.startswith("/v1/live"):
            continue
        answer = await theirs.owner.call("GET", call.at(theirs.ids))
        assert answer.status == 200, (call.path, answer.body[:200])
        shown = [name for name, value in ours.ids.items() if value.encode() in answer.body]
        if shown:
            leaked[call.path] = shown
    assert leaked == {}
