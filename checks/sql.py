"""A service's SQL stands in its store.py (or store/), as named constants, and in its migrations."""

import ast
import re
from collections.abc import Iterator

from checks.project import Finding, Project, Source

TITLE = "SQL stands in store.py"
PLACES = ("store", "postgres")
"""`postgres.py` is the adapter of that name, where an interface has others beside it."""
STATEMENT = re.compile(
    r"^\s*(?:SELECT\s.+|INSERT\s+INTO\s|UPDATE\s+\w+[\s\w]*\sSET\s|DELETE\s+FROM\s|WITH\s+(?:RECURSIVE\s+)?\w+[^\n]*\sAS\s"
    r"|(?:CREATE|ALTER|DROP)\s+(?:TABLE|INDEX|FUNCTION|TYPE|SCHEMA|VIEW)\s|TRUNCATE\s)",
    re.DOTALL,
)


def check(project: Project) -> Iterator[Finding]:
    """Every string of every service's package that begins like a statement."""
    for service in project.services():
        for source in project.sources(service.package):
            if source.path.stem not in PLACES and "store" not in source.path.parts:
                yield from _statements(source)


def _statements(source: Source) -> Iterator[Finding]:
    documentation = set(map(id, _docstrings(source.tree)))
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documentation:
            continue
        if STATEMENT.match(node.value):
            yield source.find(node, "SQL outside the store; give it a name in store.py")


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
