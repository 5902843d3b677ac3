"""A small project of one service, written file by file, that a test then breaks."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from checks.project import Finding, Project

PYPROJECT = """
[project]
name = "flotilla-kyb"
dependencies = ["flotilla"]
"""
SERVICE = """
from flotilla.service import Service

service = Service(name="kyb")
"""


class Tree:
    """The project: a service named kyb that keeps every rule until a test writes otherwise."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        self.root = root
        (root / "services/kyb/migrations").mkdir(parents=True)
        (root / "services/kyb/tests").mkdir()
        self.write("services/kyb/pyproject.toml", PYPROJECT)
        self.write("services/kyb/flotilla_kyb/__init__.py", '"""Knows businesses."""')
        self.write("services/kyb/flotilla_kyb/service.py", SERVICE)

    def write(self, path: str, text: str) -> None:
        """A file of the project; the indentation of the test is taken away."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip())

    def package(self, name: str, text: str) -> None:
        """A module of the service."""
        self.write(f"services/kyb/flotilla_kyb/{name}", text)


def said(findings: Iterable[Finding]) -> list[str]:
    """Findings as a reader sees them, the service's folder left out."""
    return [str(finding).removeprefix("services/kyb/") for finding in sorted(findings)]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A fresh project, importable for the length of the test."""
    sys.path.insert(0, str(tmp_path / "services" / "kyb"))
    yield Tree(tmp_path)
    sys.path.remove(str(tmp_path / "services" / "kyb"))
    for name in [name for name in sys.modules if name.split(".")[0] == "flotilla_kyb"]:
        del sys.modules[name]


@pytest.fixture
def findings(tree: Tree) -> Callable[[Callable[[Project], Iterator[Finding]]], list[str]]:
    """What a check says of the project."""
    return lambda check: said(check(tree.project))
