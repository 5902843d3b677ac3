"""Every projection says which tables are its own, or why it cannot be built anew; and nobody else writes those.

A projection's statement applies a state only where it is newer (`excluded.sequence`). One that writes such a table
otherwise is somebody else's, and what it wrote would be gone after a replay.
"""

import ast
import re
from collections.abc import Iterator

from flotilla.bus.declare import Handler, HandlerKind
from flotilla.service import Service

from checks.project import Finding, Project, Source, line_of

TITLE = "projections can be built anew"
NEWER = "excluded.sequence"


def check(project: Project) -> Iterator[Finding]:
    """Every service."""
    for service in project.running():
        for name, message in undeclared(service.service):
            path = project.root / service.contents
            yield Finding(service.contents, line_of(rf"\b{name}\b", path), message)
        tables = {table for handler in _projections(service.service) for table in handler.tables}
        for source in project.sources(service.package):
            yield from _foreign(source, tables)


def undeclared(service: Service) -> Iterator[tuple[str, str]]:
    """(handler, what is wrong): one without tables and reason, one whose table is another's too."""
    owners: dict[str, str] = {}
    for handler in _projections(service):
        if bool(handler.tables) == bool(handler.not_rebuilt):
            yield (
                handler.name,
                f'{handler.name}: say tables=("…",), its own, or not_rebuilt="why", one of both',
            )
        for table in handler.tables:
            if table in owners:
                yield handler.name, f"{table} is a table of {owners[table]} too: each of its own"
            owners[table] = handler.name


def _projections(service: Service) -> list[Handler]:
    return [handler for handler in service.handlers if handler.kind is HandlerKind.PROJECTION]


def _foreign(source: Source, tables: set[str]) -> Iterator[Finding]:
    """Statements that write one of these tables whatever stands there."""
    for node in ast.walk(source.tree):
        text = _text(node)
        if text is None or NEWER in text:
            continue
        for table in sorted(tables):
            if re.search(rf"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+{table}\b(?!\s*\.)", text):
                message = f"{table} is a projection's, built anew from events: keep this in a table beside it"
                yield source.find(node, message)


def _text(node: ast.AST) -> str | None:
    """A string constant, or the fixed parts of an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    return None
