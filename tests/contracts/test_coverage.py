"""Each event that has a contract is told by a service, and a test sees it told.

A test sees an event where it names its struct or its type, and where it could not do so without the service that
tells it: among that service's own tests, or among those of the whole fleet. A test of a listener only plays the event.
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
FLEET_TESTS = ("e2e", "chaos", "replay")


@pytest.fixture(scope="module")
def emitters() -> dict[str, list[str]]:
    """Type → the services that tell it."""
    found: dict[str, list[str]] = defaultdict(list)
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
    owns = {service.name: _said(ROOT / "services" / service.name / "tests") for service in present()}
    unseen = {
        contract.type: f"{contract.data.__name__}, told by {' and '.join(sorted(who)) or 'nobody'}"
        for contract in CONTRACTS.values()
        for who in [emitters.get(contract.type, [])]
        if not _is_named(contract, fleet.union(*(owns[name] for name in who)))
    }
    assert unseen == {}, "\n".join(f"{type_}: {who}" for type_, who in sorted(unseen.items()))


def _is_named(contract: Contract, said: set[str]) -> bool:
    return contract.data.__name__ in said or contract.type in said


def _said(*folders: Path) -> set[str]:
    """Every name and every string of the tests in these folders, but for what they only import."""
    return {word for folder in folders for path in folder.rglob("*.py") for word in _words(path)}


def _words(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
