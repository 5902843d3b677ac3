"""Two organizations side by side, both full of data: neither can tell that the other's things exist."""

import asyncio

from flotilla.testing.people import Person

from tests.e2e.conftest import NewOffice
from tests.e2e.filled import fill
from tests.e2e.routes import Call, calls

SHOWN_ELSEWHERE = ("/v1/parked/", "/v1/purchases/", "/v1/stripe-requests/")
"""An event can't be parked from outside, nothing is bought where nothing is sold, and no plan is sold without Stripe;
the tests of libs/common/bus and of billing show the same of these routes."""
EVERYBODYS = "/v1/triggers/"
"""What rules may wait for is the same for all."""


async def routes_of(person: Person) -> list[Call]:
    """Every operation that needs somebody to be signed in, from the document the gateway serves."""
    found = calls(await person.ok("GET", "/openapi.json"))
    return [
        call for call in found if not call.public and not call.path.startswith((*SHOWN_ELSEWHERE, EVERYBODYS))
    ]


async def test_anothers_things_are_not_there(new_office: NewOffice) -> None:
    ours, theirs = await asyncio.gather(*[fill(await new_office(name)) for name in ("Harbour", "Kite")])
    about_one = [call for call in await routes_of(ours.owner) if call.parameters]
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


async def test_lists_hold_ones_own_only(new_office: NewOffice) -> None:
    ours, theirs = await asyncio.gather(*[fill(await new_office(name)) for name in ("Harbour", "Kite")])
    lists = [call for call in await routes_of(ours.owner) if call.method == "GET" and not call.parameters]
    leaked = {}
    for call in lists:
        if call.path.startswith("/v1/live"):
            continue
        answer = await theirs.owner.call("GET", call.at(theirs.ids))
        assert answer.status in (200, 422), (call.path, answer.body[:200])
        shown = [name for name, value in ours.ids.items() if value.encode() in answer.body]
        if shown:
            leaked[call.path] = shown
    assert leaked == {}
