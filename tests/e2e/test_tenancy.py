"""Two organizations side by side, both full of data: neither can tell that the other's things exist, and whatever
somebody does in one stands in its audit log, with old and new values."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from flotilla.fleet import Fleet
from flotilla.testing.people import Person

from tests.e2e.arranged import EUROS
from tests.e2e.audited import Deed, told_late, untold, without_values
from tests.e2e.conftest import NewOffice
from tests.e2e.edits import NEXT_PASSWORD, edits
from tests.e2e.filled import Full
from tests.e2e.pairs import side_by_side
from tests.e2e.routes import Call, calls

TRIGGERS = "/v1/triggers/"
EVERYBODYS = (TRIGGERS, "/v1/bd-offers/")
"""What rules may wait for is the same for all, and all may see what is for sale; test_market has whose an offer is."""
ONES_ACCESS = ("/v1/sessions", "/v1/users/", "/v1/me/password")
"""Whoever changes these may be out: they come last."""
CLIENTS: Final = "/v1/portal/"
"""Of a client's own: services' tests of the portal have who sees what there."""
EDITED: Final = ("PUT", "PATCH")
SECRET: Final = {"PUT /v1/me/password": "that it was changed is told, and never what it is"}
"""Changes whose values nobody is shown."""


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
        if call.method == "GET" and not call.path.startswith(CLIENTS):
            answer = await ours.owner.call("GET", call.at(ours.ids))
            if answer.status != 200:
                missing[call.path] = (answer.status, answer.body[:200])
    assert missing == {}
    same = [await each.owner.ok("GET", f"{TRIGGERS}deal.created.v1") for each in (ours, theirs)]
    assert same[0] == same[1]
    # That there was something to hide is true of what is changed as well: whose it is does not hear 404.
    of_all = [call for call in await routes_of(ours.owner) if not call.parameters and call.method in EDITED]
    org = UUID((await ours.owner.ok("GET", "/v1/organization"))["id"])
    deeds = await _done(ours, [*about_one, *of_all])
    assert len(deeds) > 100
    assert await untold(fleet.instance, org, UUID(ours.owner.user["id"]), deeds) == []
    assert await told_late(fleet, ours.owner.session) == []
    ended = [
        deed for deed in deeds if deed.name.split()[0] in (*EDITED, "DELETE") and deed.name not in SECRET
    ]
    assert await without_values(await _back(ours.owner), ended) == []


async def _done(ours: Full, wanted: Iterable[Call]) -> list[Deed]:
    """Everything that can be changed or done about what there is; what came about, one after the other."""
    ids, deeds = await _changeable(ours), []
    colleague = ids["PATCH /v1/users/{user_id}"]
    bodies = edits({**ours.ids, **colleague})
    bodies["PUT /v1/leads/routing"]["member_ids"] = [ours.ids["user_id"]]
    missing: dict[str, object] = {}
    for call in changes(wanted):
        began = datetime.now(UTC)
        body = bodies[call.name] if call.method in EDITED and call.keeps else call.body
        answer = await ours.owner.call(call.method, call.at({**ours.ids, **ids.get(call.name, {})}), body)
        edited = call.method in EDITED and call.keeps
        if answer.status in (401, 403, 404) or (edited and answer.status >= 300):
            missing[call.name] = (answer.status, answer.body[:200])
        if answer.status < 300 and call.keeps:
            deeds.append(Deed(call.name, began, datetime.now(UTC)))
    assert missing == {}
    return deeds


async def _back(owner: Person) -> Person:
    """Signed in anew, after all their sessions were ended and their password was changed."""
    wanted = {"email": owner.user["email"], "password": NEXT_PASSWORD}
    return owner.signed_in(await owner.ok("POST", "/v1/sign-in", wanted))


async def _changeable(ours: Full) -> Mapping[str, dict[str, str]]:
    """What can still be changed, where the organization's first of its kind no longer can."""
    owner, ids = ours.owner, ours.ids
    deal = await owner.ok("POST", "/v1/deals", {"title": "20 cups", "value": EUROS})
    note = await owner.ok("POST", f"/v1/conversations/{ids['conversation_id']}/notes", {"text": "Two days."})
    colleagues = (await owner.ok("GET", "/v1/users"))["items"]
    other = next(each["id"] for each in colleagues if each["id"] != owner.user["id"])
    return {
        "PATCH /v1/deals/{deal_id}": {"deal_id": deal["id"]},
        "PATCH /v1/messages/{message_id}": {"message_id": note["id"]},
        "DELETE /v1/messages/{message_id}": {"message_id": note["id"]},
        "PATCH /v1/users/{user_id}": {"user_id": other},
    }


def changes(wanted: Iterable[Call]) -> list[Call]:
    """Those that change something, in an order in which none takes away what another needs."""

    def rank(call: Call) -> tuple[bool, bool, bool, int]:
        place = -len(call.path.split("/"))
        return call.path.startswith(ONES_ACCESS), call.method == "DELETE", call.method not in EDITED, place

    return sorted((call for call in wanted if call.method != "GET"), key=rank)


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
