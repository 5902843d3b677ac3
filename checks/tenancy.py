"""Every statement says itself whose rows it means: the policy of tenants is a filter, and finds no row by an index.

A statement that left it to the policy would read the rows of every organization to show those of one.
"""

import ast
import re
from collections.abc import Iterator
from typing import Final

from checks.project import Finding, Project, ServiceTree, Source
from checks.sql import STATEMENT

TITLE = "statements say their organization"

PROTECTED: Final = re.compile(r"protect_tenant_table\('(\w+)'\)")
MADE: Final = {"make_saga_tables": {"sagas", "saga_requests"}, "make_wish_table": {"wishes"}}
"""Functions of the bus that make tables of tenants."""
_AFTER: Final = (
    r"SET|ON|WHERE|JOIN|LEFT|RIGHT|FULL|INNER|CROSS|ORDER|USING|LIMIT|GROUP|UNION|RETURNING|FOR|HAVING"
)
READ: Final = re.compile(rf"\b(?:FROM|JOIN|UPDATE|USING)\s+(\w+)\b(?:\s+(?:AS\s+)?(?!(?:{_AFTER})\b)(\w+))?")
"""A table that is looked into, and its alias."""
HOLE: Final = "…"
"""What an f-string puts in. A condition that is put together (`flotilla.store.where`) begins with the organization."""
BY_PARTS: Final = re.compile(rf"\bWHERE\s+{HOLE}")


def check(project: Project) -> Iterator[Finding]:
    """Every statement of every service's package that looks into a table of tenants."""
    for service in project.services():
        tables = tenant_tables(service)
        for source in project.sources(service.package):
            yield from silent(source, tables)


def tenant_tables(service: ServiceTree) -> set[str]:
    """Those that its migrations protect."""
    found: set[str] = set()
    for path in sorted((service.folder / "migrations").glob("*.sql")):
        text = path.read_text()
        found.update(PROTECTED.findall(text))
        for call, tables in MADE.items():
            if call in text:
                found |= tables
    return found


def silent(source: Source, tables: set[str]) -> Iterator[Finding]:
    """Statements that look into one of these and do not say whose rows of it they mean."""
    begun = _begun(source.tree)
    parts = {
        id(part) for node in ast.walk(source.tree) if isinstance(node, ast.JoinedStr) for part in node.values
    }
    for node in ast.walk(source.tree):
        text = None if id(node) in parts else _text(node)
        if text is None or not STATEMENT.match(text) or BY_PARTS.search(text):
            continue
        if id(node) in begun and "WHERE" not in text:
            continue
        for table, alias in READ.findall(re.sub(r"--[^\n]*", "", text)):
            if table in tables and not _says(text, table, alias):
                yield source.find(
                    node, f"whose {table} it means is left to the policy; say its organization_id"
                )


def _begun(tree: ast.AST) -> set[int]:
    """The beginnings of statements that `flotilla.store.order` ends, with a condition that names the organization."""
    names = {
        call.args[1].id
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _reads_in_order(call.func) and isinstance(call.args[1], ast.Name)
    }
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id in names
    }


def _reads_in_order(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "read"
        and isinstance(function.value, ast.Name)
        and function.value.id == "order"
    )


def _says(text: str, table: str, alias: str) -> bool:
    if "USING (organization_id" in text:
        return True
    own = rf"\b(?:{alias or table})\.organization_id\b"
    bare = r"(?<![\w.])organization_id\s*(?:=|\)|,)"
    return re.search(own, text) is not None or re.search(bare, text) is not None


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
    return None
