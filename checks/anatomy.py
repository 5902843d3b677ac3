"""Each service has the files of the layout, none too long, and nothing is left for later."""

import ast
import re
from collections.abc import Iterator

from flotilla.service import FLEET, Service

from checks.project import Finding, Project, ServiceTree, Source

TITLE = "anatomy"
LONGEST_FILE = 350
LONGEST_FUNCTION = 50
LEFT_OVER = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
VAGUE = frozenset({"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"})


def check(project: Project) -> Iterator[Finding]:
    """Every service's layout, every source's length, every file's words."""
    for service in project.services():
        yield from _layout(service)
    for part in ("libs", "services", "checks", "tests", "bench"):
        for source in project.sources(project.root / part):
            yield from _lengths(source)
    for path in project.files(".py", ".sql", ".md", ".toml", ".yaml", ".yml", ".ts", ".tsx", ".mjs", ".sh"):
        for number, line in enumerate((project.root / path).read_text().splitlines(), 1):
            if found := LEFT_OVER.search(line):
                yield Finding(path, number, f"says {found[0]}; do it now, or file it where work is planned")


def _layout(service: ServiceTree) -> Iterator[Finding]:
    folder = service.folder.relative_to(service.root)
    if service.name not in FLEET:
        yield Finding(folder, 1, f"{service.name} is none of the fleet's services: {', '.join(FLEET)}")
    for path in ("tests", "migrations"):
        if not (service.folder / path).is_dir():
            yield Finding(folder, 1, f"has no {path}/; every service has one")
    opening = service.package / "__init__.py"
    if not opening.is_file() or not ast.get_docstring(ast.parse(opening.read_text())):
        yield Finding(folder, 1, "says nowhere what it owns; write it in the docstring of its __init__.py")
    if not (service.package / "service.py").is_file():
        yield Finding(folder, 1, "has no service.py; it is the table of contents that the process runs")
        return
    for name, why in _wanted(service.service):
        if not (service.package / f"{name}.py").is_file() and not (service.package / name).is_dir():
            yield Finding(folder, 1, f"has {why} but no {name}.py; whoever knows one service looks there")


def _wanted(service: Service) -> Iterator[tuple[str, str]]:
    if service.routes:
        yield "api", "routes"
    if service.handlers or service.tap:
        yield "handlers", "handlers"
    if any(service.migrations.glob("*.sql")):
        yield "store", "migrations"


def _lengths(source: Source) -> Iterator[Finding]:
    if source.path.stem in VAGUE:
        yield Finding(source.path, 1, f"`{source.path.stem}` says nothing; name it by what it is about")
    if len(source.lines) > LONGEST_FILE:
        yield Finding(
            source.path,
            LONGEST_FILE,
            f"has {len(source.lines)} lines; make it a folder of the same name (at most {LONGEST_FILE} each)",
        )
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > LONGEST_FUNCTION and not _only_declares(node):
                yield source.find(
                    node, f"{node.name} has {length} lines; split it (at most {LONGEST_FUNCTION})"
                )


def _only_declares(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A function that makes routes or fixtures is a list of small functions, each measured itself."""
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    rest = [node for node in function.body if not isinstance(node, inner)]
    own = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in rest)
    return len(rest) < len(function.body) and own <= LONGEST_FUNCTION
