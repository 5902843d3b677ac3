"""A service imports flotilla and itself; flotilla imports no service; nobody imports from beside the checkout."""

import ast
from collections.abc import Iterator

from checks.project import Finding, Project, Source

TITLE = "imports"
PREFIX = "flotilla_"
BESIDE = "../" + "shared"


def check(project: Project) -> Iterator[Finding]:
    """Every import of a service's package, by its name or by a string that holds it."""
    for source in project.sources(project.root / "libs"):
        if not source.in_tests:
            yield from _foreign(source, None)
    for service in project.services():
        for source in project.sources(service.folder):
            yield from _foreign(source, PREFIX + service.name)
    for part in ("libs", "services", "tests", "checks", "bench"):
        for source in project.sources(project.root / part):
            yield from _beside(source)


def _foreign(source: Source, own: str | None) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        for name in _imported(node):
            package = name.split(".")[0]
            if package.startswith(PREFIX) and package != own:
                yield source.find(node, _advice(own, package))


def _advice(own: str | None, package: str) -> str:
    if own is None:
        return f"the shared package imports the service {package}; move what it needs into flotilla"
    return f"{own} imports {package}; keep what it needs of {package} as a projection of its events"


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module or ""
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if called in ("import_module", "__import__", "find_spec"):
            yield from (
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )


def _beside(source: Source) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and BESIDE in node.value:
            yield source.find(
                node, f"reaches into {BESIDE}, which no clone has; copy what it needs into the project"
            )
