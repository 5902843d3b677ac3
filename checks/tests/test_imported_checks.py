"""Checks that import a service and look at its objects."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated
from uuid import UUID

import pytest
from flotilla.bus.declare import Lane
from flotilla.events.base import PERSONAL, Contract, Event, Personal
from flotilla.events.crm import NoteCreated, Task
from flotilla.events.integrations import SenderProfile
from flotilla.sagas import SagaKind
from flotilla.service import Service

from checks import contents, contracts, events, routes
from checks.project import NotImportableError
from checks.tests.conftest import Tree, said

Findings = Callable[[object], list[str]]

DECLARATIONS = """
    from datetime import timedelta

    import msgspec
    from flotilla.bus.declare import JobKind, Lane, TimerKind, Worker, projection, tap
    from flotilla.events import crm
    from flotilla.http import Routes

    class Payload(msgspec.Struct):
        id: int

    async def run(*args: object) -> None:
        pass

    lane = Lane("companies")
    companies = Routes("/v1/counterparties", tag="counterparties")
    check = JobKind("check", Payload, perform=run, finish=run, give_up=run)
    due = TimerKind("due", Payload, fire=run)
    sweep = Worker("sweep", every=timedelta(seconds=1), run=run)
    everything = tap("archive")(run)

    @projection(crm.CompanyCreated, lane="companies")
    async def keep_companies(tx, batch):
        pass
"""
COMPLETE = """
    from flotilla.bus.declare import Lane
    from flotilla.service import Service
    from flotilla_kyb.parts import check, companies, due, everything, keep_companies, lane, sweep

    service = Service(
        name="kyb", routes=(companies,), lanes=(lane, Lane("archive")), handlers=(keep_companies,),
        tap=everything, jobs=(check,), timers=(due,), workers=(sweep,),
    )
"""


def test_a_table_of_contents_that_lists_everything(tree: Tree, findings: Findings) -> None:
    tree.package("parts.py", DECLARATIONS)
    tree.package("service.py", COMPLETE)
    assert findings(contents.check) == []


def test_what_is_declared_and_not_listed(tree: Tree, findings: Findings) -> None:
    tree.package("parts.py", DECLARATIONS)
    found = findings(contents.check)
    assert [line.split(": ")[1].split(" is in no service")[0] for line in found] == [
        "lane",
        "companies",
        "check",
        "due",
        "sweep",
        "everything",
        "keep_companies",
    ]
    assert found[-1].startswith(
        "flotilla_kyb/parts.py:22: keep_companies is in no service: add it to handlers of"
    )


def test_what_a_module_nobody_imports_declares(tree: Tree, findings: Findings) -> None:
    tree.package("parts.py", DECLARATIONS)
    tree.package("service.py", COMPLETE)
    tree.package("workers/more.py", "from flotilla.bus.declare import Lane\n\nforgotten = Lane('more')\n")
    tree.package("workers/__init__.py", "")
    (found,) = findings(contents.check)
    assert found.startswith("flotilla_kyb/workers/more.py:3: forgotten is in no service: add it to lanes of")


def test_lanes_and_names_that_do_not_agree(tree: Tree, findings: Findings) -> None:
    tree.package("parts.py", DECLARATIONS)
    tree.package(
        "service.py",
        COMPLETE.replace('Lane("archive")', 'Lane("other")').replace(
            "(keep_companies,)", "(keep_companies, keep_companies)"
        ),
    )
    found = "\n".join(findings(contents.check))
    assert "the lane 'archive' is used by a handler and not listed" in found
    assert "the lane 'other' has no handler" in found
    assert "two of its handlers are named 'keep_companies'" in found


def test_a_service_that_calls_itself_another(tree: Tree, findings: Findings) -> None:
    tree.package("service.py", "from flotilla.service import Service\n\nservice = Service(name='crm')\n")
    assert "it calls itself 'crm'; name it 'kyb'" in findings(contents.check)[0]


def test_a_service_that_cannot_be_imported(tree: Tree, findings: Findings) -> None:
    tree.package("service.py", "from flotilla_kyb.nowhere import service\n")
    with pytest.raises(NotImportableError, match=r"service\.py can't be imported: .*nowhere"):
        findings(contents.check)


OPEN_ROUTES = """
    from fastapi import APIRouter
    from flotilla.http import Routes
    from flotilla.http.routes import Route
    from flotilla.service import Service

    declared = Routes("/v1/counterparties", tag="counterparties")
    bare = APIRouter(prefix="/v1/bare")
    unknown = APIRouter(prefix="/v1/unknown", route_class=Route)

    @declared.get("", permission="companies:read")
    async def list_counterparties() -> None: ...

    @bare.get("")
    async def read_bare() -> None: ...

    @bare.websocket("/live")
    async def live() -> None: ...

    @unknown.get("", openapi_extra={"x-permission": "ships:sink", "x-rate-limit": "session"})
    async def sink() -> None: ...

    @unknown.get("/fast", openapi_extra={"x-permission": "public", "x-rate-limit": "never"})
    async def fast() -> None: ...

    service = Service(name="kyb", routes=(declared, bare, unknown))
"""


def test_routes_without_a_permission(tree: Tree, findings: Findings) -> None:
    tree.package("service.py", OPEN_ROUTES)
    place = "flotilla_kyb/service.py"
    assert findings(routes.check) == [
        f"{place}:13: GET /v1/bare: declare it on flotilla.http.Routes, which checks a permission",
        f"{place}:16: WEBSOCKET /v1/bare/live: declare it on flotilla.http.Routes, which checks a permission",
        f"{place}:19: GET /v1/unknown: no role has 'ships:sink'; add it to flotilla.security.permissions",
        f"{place}:22: GET /v1/unknown/fast: unknown rate-limit class 'never'; "
        "choose of session, dear, sign_in, hook, open",
    ]


class CompanyChecked(Event, frozen=True, kw_only=True):
    """A company was checked."""

    company_id: UUID
    verdict: str


CHECKED = Contract(
    type="company.checked.v1", owner="kyb", data=CompanyChecked, subject="company_id", person=()
)
HANDLING = """
    from checks.tests.test_imported_checks import CompanyChecked
    from flotilla.bus.declare import Lane, projection
    from flotilla.service import Service

    @projection(CompanyChecked, lane="checks")
    async def keep(tx, batch): ...

    service = Service(name="kyb", lanes=(Lane("checks"),), handlers=(keep,), emits=(CompanyChecked,))
"""
EMITTING = """
    from checks.tests.test_imported_checks import CompanyChecked

    def decide(tx, event: CompanyChecked) -> CompanyChecked:
        {body}
"""


def of_events(tree: Tree, contract: Contract = CHECKED) -> list[str]:
    return said(events.check(tree.project, {contract.type: contract}))


def test_an_event_that_is_listed_and_made(tree: Tree) -> None:
    tree.package("service.py", HANDLING)
    tree.package("domain.py", EMITTING.format(body="tx.emit(CompanyChecked(company_id=1, verdict='good'))"))
    assert of_events(tree) == []


def test_an_event_that_is_listed_and_never_made(tree: Tree) -> None:
    tree.package("service.py", HANDLING)
    tree.package("domain.py", EMITTING.format(body="return event"))
    assert of_events(tree) == [
        "flotilla_kyb/service.py:1: CompanyChecked is listed but never made; "
        "emit it with tx.emit(…) or drop its contract"
    ]


def test_a_contract_whose_owner_does_not_list_it(tree: Tree) -> None:
    assert of_events(tree) == [
        "flotilla_kyb/service.py:1: CompanyChecked is a contract of kyb; list it in emits=(…)"
    ]


def test_events_without_a_contract_and_of_others(tree: Tree) -> None:
    tree.package("service.py", HANDLING)
    foreign = replace(CHECKED, owner="crm")
    assert "belongs to another service" in of_events(tree, foreign)[0]
    other = replace(CHECKED, type="note.created.v1", data=NoteCreated, subject="note_id", person=("note_id",))
    assert "CompanyChecked has no contract: register it" in of_events(tree, other)[0]


def test_a_wish_that_any_service_asks(tree: Tree) -> None:
    tree.package("service.py", HANDLING)
    tree.package("domain.py", EMITTING.format(body="tx.emit(CompanyChecked(company_id=1, verdict='good'))"))
    for owner in ("kyb", "crm"):
        assert of_events(tree, replace(CHECKED, wish=True, owner=owner)) == []


def test_a_wish_that_nobody_asks(tree: Tree) -> None:
    assert of_events(tree, replace(CHECKED, wish=True)) == [
        "libs/common/flotilla/events/kyb.py:1: company.checked.v1: nobody asks for it; list it in emits=(…)"
    ]


def test_a_saga_that_nothing_carries_on() -> None:
    async def ended(*_: object) -> None: ...

    saga = SagaKind("check", context=Event, steps=(), done=ended, undone=ended)
    complaint = "the saga 'check' is never carried on: list its facts in handlers, its timer in timers"
    assert list(contents.inconsistent(Service("kyb", sagas=(saga,)))) == [complaint]
    carried = Service(
        "kyb", sagas=(saga,), handlers=(saga.facts,), timers=(saga.timer,), lanes=(Lane("sagas"),)
    )
    assert list(contents.inconsistent(carried)) == []


class PersonalButKept(Event, frozen=True, kw_only=True):
    ship_id: UUID
    captain_id: UUID | None
    name: Annotated[str, PERSONAL]
    sender: SenderProfile | None
    crew: list[SenderProfile]
    nick: Personal


def test_contracts_that_do_not_hold_together() -> None:
    contract = Contract(
        type="ship.x.v1", owner="kyb", data=PersonalButKept, subject="ship", person=("captain_id",)
    )
    assert list(events.incoherent(contract)) == [
        "it has no field `ship`, which it names as its subject or person",
        "`captain_id` may be null, and then nobody's key seals it; add one that is always set",
        "`name` is personal and can't be null, so it can't be erased",
        "`sender` holds personal fields: mark it PERSONAL as a whole, the archive seals whole fields",
        "`crew` holds personal fields: mark it PERSONAL as a whole, the archive seals whole fields",
    ]
    unowned = replace(CHECKED, data=Task, subject="task_id")
    assert list(events.incoherent(unowned)) == ["it has personal fields but says not whose: add person=(…)"]


def test_a_contracts_folder_that_is_stale(tree: Tree, findings: Findings) -> None:
    assert (
        "contracts/asyncapi.yaml is not what the code says; run `make contracts`"
        in findings(contracts.check)[0]
    )
