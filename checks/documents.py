"""A test that a document points at exists: else what it shows is nobody's knowledge."""

import re
from collections.abc import Iterator
from pathlib import Path

from checks.project import Finding, Project

TITLE = "documents"
NAMED = re.compile(r"(?P<path>(?:[\w-]+/)*test_\w+\.py)(?:::(?P<test>\w+))?")
"""A test's file by the end of its path, and perhaps one of its functions: `auth/tests/test_roles.py::test_names`."""
FUNCTION = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)


def check(project: Project) -> Iterator[Finding]:
    """Each test that README.md or a document under docs/ or bench/ names."""
    tests = [path for path in project.files(".py") if path.name.startswith("test_")]
    for document in project.files(".md"):
        for number, line in enumerate((project.root / document).read_text().splitlines(), 1):
            for named in NAMED.finditer(line):
                yield from _missing(project, tests, named, document, number)


def _missing(
    project: Project, tests: list[Path], named: re.Match[str], document: Path, number: int
) -> Iterator[Finding]:
    wanted = Path(named["path"]).parts
    found = [path for path in tests if path.parts[-len(wanted) :] == wanted]
    if not found:
        yield Finding(document, number, f"names {named['path']}, which is no test here")
    elif named["test"] and not any(
        named["test"] in FUNCTION.findall((project.root / path).read_text()) for path in found
    ):
        yield Finding(document, number, f"names {named['test']}, which {named['path']} does not have")
