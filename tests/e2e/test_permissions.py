"""Every route of the API document, called by somebody of every role: about their own record, a team-mate's, somebody
else's, nobody's, and another organization's. What must come of it is worked out from the one table of permissions and
from what the route declares (`x-permission`, `x-reach`); the data are there, so that 404 and 403 mean something."""

import asyncio
from collections.abc import Iterable
from typing import Final

import pytest
from flotilla.fleet import Fleet
from flotilla.http.routes import REACHES
from flotilla.security.permissions import ALL, KNOWN, PUBLIC, SCOPED
from flotilla.testing import eventually

from tests.e2e.cast import MATE, OTHER, Cast, Member, cast_of, ids_in
from tests.e2e.filled import Full
from tests.e2e.gates import BY_THE_PERSON, ENDLESS, TO_ONESELF, Gates, untried
from tests.e2e.matrix import Case, Matrix, hidden, refused, shown
from tests.e2e.routes import Call, calls
from tests.e2e.writes import prove

RECORDS: Final = {
    "bookings": "booking_id",
    "companies": "company_id",
    "contacts": "contact_id",
    "conversations": "conversation_id",
    "deals": "deal_id",
    "drafts": "draft_id",
    "leads": "lead_id",
    "notes": "note_id",
    "tasks": "task_id",
}
"""The path parameter that names a record of each kind."""
THEIR_PARTS: Final = {"attachment_id": "conversations", "merge_id": "contacts", "message_id": "conversations"}
"""Path parameters of what belongs to a record, and goes by its owner."""
OWNED_PARAMETERS: Final = {**{name: kind for kind, name in RECORDS.items()}, **THEIR_PARTS}
LAST: Final = ("/merges", "/undo", "/convert", "/complete", "/cancel")
"""After these the record is not what it was: they come last, and after them DELETE."""


@pytest.fixture(scope="session")
async def routes(pair: list[Full]) -> list[Call]:
    """Every operation of the document that the gateway serves."""
    return list(calls(await pair[0].owner.ok("GET", "/openapi.json")))


@pytest.fixture(scope="session")
async def cast(pair: list[Full]) -> Cast:
    """An organization's people and their records."""
    return await cast_of(pair[0].office)


async def test_every_route_says_what_it_takes(routes: list[Call]) -> None:
    for call in routes:
        assert call.permission in KNOWN, call.name
        assert (call.reach in REACHES) == (call.permission in SCOPED), call.name


async def test_lists_hold_what_is_in_reach(routes: list[Call], cast: Cast) -> None:
    lists = [
        call
        for call in routes
        if call.method == "GET" and call.reach == "rows" and not is_about_a_record(call)
    ]
    assert len(lists) >= len(RECORDS)
    pipeline = (await cast.members["owner"].person.ok("GET", "/v1/pipelines"))["items"][0]["id"]
    board = await cast.members["owner"].person.ok("GET", f"/v1/pipelines/{pipeline}/board")
    places = {"pipeline_id": pipeline, "stage_id": board["columns"][0]["id"]}
    wrong: dict[str, object] = {}
    for call in lists:
        kind = SCOPED[call.permission]
        for member in cast.members.values():
            answer = await member.person.call("GET", _wide(call.at(places)))
            if member.scope(call.permission) is None:
                if not refused(answer):
                    wrong[f"{call.name} by {member.role}"] = answer.status
                continue
            assert answer.status == 200, (call.name, member.role, answer.body[:200])
            for owner, id_ in ids_in(cast.records, RECORDS[kind]):
                if id_.encode() in answer.body and not member.reaches(call.permission, owner):
                    wrong[f"{call.name} by {member.role}: {owner}'s"] = "leaked"
    # That there was something to find: each sees all that is theirs in the plain lists.
    for kind, name in RECORDS.items():
        for member in cast.members.values():
            if member.scope(f"{kind}:read") is None:
                continue
            page = await member.person.call("GET", f"/v1/{kind}?limit=100")
            for owner, id_ in ids_in(cast.records, name):
                if (id_.encode() in page.body) != member.reaches(f"{kind}:read", owner):
                    wrong[f"GET /v1/{kind} by {member.role}: {owner}'s"] = "missing or leaked"
    assert wrong == {}


async def test_every_other_route_by_role(
    routes: list[Call], cast: Cast, pair: list[Full], fleet: Fleet
) -> None:
    matrix = Matrix()
    # The owner has a passkey (placed.py), which no test here can use.
    for member in cast.members.values():
        if member.role != "owner":
            await prove(member.person)
    gates = Gates(matrix, fleet.instance, cast, *pair)
    rest = [call for call in routes if call.permission != PUBLIC and not is_about_a_record(call)]
    left_out = {call.name for call in rest if untried(call)}
    assert left_out == ENDLESS | TO_ONESELF | set(BY_THE_PERSON), "what is left out by name is there"
    cases = [case for call in rest for member in cast.members.values() for case in gates.cases(call, member)]
    await asyncio.gather(*[case() for case in cases])
    assert matrix.wrong == {}
    assert matrix.made > 3000


async def test_who_leaves_a_team_sees_its_records_no_more(cast: Cast) -> None:
    owner, leaving = cast.members["owner"].person, cast.members["team"].person
    path = f"/v1/contacts/{cast.records[MATE]['contact_id']}"
    membership = f"/v1/teams/{cast.team_id}/members/{leaving.user['id']}"
    for method, expected in (("DELETE", 404), ("PUT", 200)):
        await owner.ok(method, membership, {} if method == "PUT" else None)

        async def counts(expected: int = expected) -> bool:
            return (await leaving.call("GET", path)).status == expected

        await eventually(counts, what=f"{method} counts at the gateway")


async def test_nobody_is_told_live_of_what_they_may_not_see(cast: Cast) -> None:
    owner = cast.members["owner"].person
    deals = {name: cast.records[name]["deal_id"] for name in (OTHER, "own")}
    async with cast.members["own"].person.live() as live:
        for deal_id in deals.values():
            await owner.ok("PATCH", f"/v1/deals/{deal_id}", {"expected_close_on": "2031-01-01"})
        await live.expect("deal.updated.v1", lambda deal: deal["deal_id"] == deals["own"])
    told = [event["data"]["deal_id"] for event in live.events if event["type"] == "deal.updated.v1"]
    assert told == [deals["own"]]


async def test_records_by_role_and_owner(routes: list[Call], cast: Cast, pair: list[Full]) -> None:
    """The last: at its end the records are gone."""
    matrix = Matrix()
    about_one = [call for call in routes if is_about_a_record(call)]
    assert {SCOPED[call.permission] for call in about_one} == set(RECORDS), (
        "a record of each kind is asked for"
    )
    denied: list[Case] = []
    granted: list[tuple[Call, Case]] = []
    for call in about_one:
        for member in cast.members.values():
            owners = [each for each in cast.records if concerns(member, each)]
            for owner in owners:
                case = record_case(matrix, call, member, owner, cast)
                if is_granted(call, member, owner):
                    granted.append((call, case))
                else:
                    denied.append(case)
            denied.append(foreign_case(matrix, call, member, pair[1].ids))
    # What is denied changes nothing, so all of it finds the records as they were made.
    await asyncio.gather(*[case() for case in denied])
    for group in in_order(granted):
        await asyncio.gather(*[case() for case in group])
    assert matrix.wrong == {}
    assert matrix.made > 1000


def is_about_a_record(call: Call) -> bool:
    """Whether its path names a record with an owner, or a part of one, and it goes by whose it is."""
    return call.reach == "rows" and any(name in OWNED_PARAMETERS for name in call.parameters)


def concerns(member: Member, owner: str) -> bool:
    """Roles that have everything for all are tried with somebody else's only, and with their own."""
    if any(member.scope(permission) not in (None, ALL) for permission in SCOPED):
        return True
    return owner in (OTHER, member.role)


def is_granted(call: Call, member: Member, owner: str) -> bool:
    """By the table: they see the record, and may do this with one of this owner's."""
    return _sees(call, member, owner) and member.reaches(call.permission, owner)


def record_case(matrix: Matrix, call: Call, member: Member, owner: str, cast: Cast) -> Case:
    """A call about a record of the owner, and what must come of it."""
    if member.scope(call.permission) is None:
        expected, right = "403", refused
    elif not _sees(call, member, owner):
        expected, right = "404", hidden
    elif not member.reaches(call.permission, owner):
        expected, right = "403", refused
    else:
        expected, right = "shown", shown
    ids = cast.records[owner]
    if not all(name in ids for name in call.parameters):
        return _nothing
    body = {"contact_id": ids["twin_id"]} if call.path.endswith("/merges") else call.body
    said = f"{call.name} of {owner}'s"
    return lambda: matrix.call(member, call.method, call.at(ids), body, expected, said, right)


def foreign_case(matrix: Matrix, call: Call, member: Member, ids: dict[str, str]) -> Case:
    """The same about another organization's."""
    forbidden = member.scope(call.permission) is None
    return lambda: matrix.call(
        member,
        call.method,
        call.at({"twin_id": "", "attachment_id": "", **ids}),
        call.body,
        "403" if forbidden else "404",
        f"{call.name} of another organization's",
        refused if forbidden else hidden,
    )


def in_order(granted: Iterable[tuple[Call, Case]]) -> list[list[Case]]:
    """Reading, then changing, then what ends something: none takes away what another needs."""
    groups: list[list[Case]] = [[], [], [], []]
    for call, case in granted:
        if call.method == "GET":
            groups[0].append(case)
        elif call.method == "DELETE":
            groups[3].append(case)
        else:
            groups[2 if call.path.endswith(LAST) else 1].append(case)
    return groups


def _sees(call: Call, member: Member, owner: str) -> bool:
    """Whether the record is there for them; for a role that may not read such records at all, all are."""
    read = f"{SCOPED[call.permission]}:read"
    return member.scope(read) is None or member.reaches(read, owner)


def _wide(path: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}limit=100"


async def _nothing() -> None:
    """Nobody has such a record: a note of nobody."""
