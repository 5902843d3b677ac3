"""Each event that has a contract is told by a service, and a test sees it told.

A test sees an event where it names its struct or its type, and where it could not do so without whoever tells it:
among that service's own tests, or among those of the whole fleet. A test of a listener only plays the event. What
libs/common tells for every service alike is seen by its tests, and by those of any service but the one that listens.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from flotilla.events import CONTRACTS, Contract
from flotilla.instance import project_root
from flotilla.service import present

ROOT = project_root()
SHARED = ROOT / "libs" / "common"
COMMON = "common"
FLEET_TESTS = ("e2e", "chaos", "replay")


@pytest.fixture(scope="module")
def emitters() -> dict[str, list[str]]:
    """Type → the services that tell it; `common` tells facts of each service for all."""
    found: dict[str, list[str]] = defaultdict(list)
    parts = (SHARED / "flotilla").iterdir()
    made = _said(*(part for part in parts if part.name not in ("events", "testing")))
    for contract in CONTRACTS.values():
        if contract.shared and contract.data.__name__ in made:
            found[contract.type].append(COMMON)
    types = {contract.data: contract.type for contract in CONTRACTS.values()}
    for service in present():
        for data in service.emits:
            found[types[data]].append(service.name)
    return found


def test_each_event_has_an_emitter(emitters: dict[str, list[str]]) -> None:
    untold = sorted(CONTRACTS.keys() - emitters.keys())
    assert untold == [], "\n".join(untold)


def test_each_event_is_seen_by_a_test(emitters: dict[str, list[str]]) -> None:
    fleet = _said(*(ROOT / "tests" / name for name in FLEET_TESTS))
    said = {service.name: _said(ROOT / "services" / service.name / "tests") for service in present()}
    said[COMMON] = _said(SHARED / "tests")
    unseen: list[str] = []
    for contract in CONTRACTS.values():
        who = emitters.get(contract.type, [])
        looking = said.keys() - {contract.owner} if COMMON in who else set(who)
        if not _is_named(contract, fleet.union(*(said[name] for name in looking))):
            told_by = " and ".join(sorted(who)) or "nobody"
            unseen.append(f"{contract.type}: {contract.data.__name__}, told by {told_by}")
    assert unseen == [], "\n".join(sorted(unseen))


def _is_named(contract: Contract, said: set[str]) -> bool:
    return contract.data.__name__ in said or contract.type in said


def _said(*folders: Path) -> set[str]:
    """Every name and every string of the code in these folders, but for what it only imports."""
    return {word for folder in folders for path in folder.rglob("*.py") for word in _words(path)}


def _words(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
