"""A member's package imports only what its own pyproject.toml names: an image installs no more than that."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

from checks.project import Finding, Project, Source

TITLE = "dependencies"
OURS = ("flotilla",)


def check(project: Project) -> Iterator[Finding]:
    """Every third-party import of the members' packages, tests aside."""
    common = _named(project.root / "libs" / "common" / "pyproject.toml")
    testing = project.shared / "testing"
    for source in project.sources(project.shared):
        if not (project.root / source.path).is_relative_to(testing):
            yield from _undeclared(source, common, "libs/common/pyproject.toml")
    for service in project.services():
        declared = common | _named(service.folder / "pyproject.toml")
        for source in project.sources(service.package):
            yield from _undeclared(source, declared, f"services/{service.name}/pyproject.toml")


def _undeclared(source: Source, declared: set[str], where: str) -> Iterator[Finding]:
    for node in _executed(source.tree):
        for module in _top_level(node):
            if module in sys.stdlib_module_names or module.startswith(OURS):
                continue
            owners = {_normal(name) for name in _distributions().get(module, [module])}
            if not owners & declared:
                yield source.find(
                    node, f"imports {module}, which {where} doesn't name; add {min(owners)} there"
                )


def _executed(tree: ast.Module) -> Iterator[ast.AST]:
    """Everything but what only the type checker reads."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _top_level(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module.split(".")[0]


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _named(pyproject: Path) -> set[str]:
    if not pyproject.is_file():
        return set()
    project = tomllib.loads(pyproject.read_text()).get("project", {})
    extras = project.get("optional-dependencies", {}).values()
    requirements = chain(project.get("dependencies", ()), *extras)
    return {_normal(re.split(r"[\s\[<>=!~;]", requirement)[0]) for requirement in requirements}


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
