"""What the checks look at: the files of a checkout, parsed once, and its services, imported."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType

from flotilla.service import Service, load


class NotImportableError(Exception):
    """A service whose code can't be run can't be checked."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that breaks a rule."""

    path: Path
    line: int
    message: str
    """What is wrong, and what to do."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Source:
    """One Python file; its path is relative to the checkout."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text, str(self.path))

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, the first at index 0."""
        return self.text.splitlines()

    @property
    def in_tests(self) -> bool:
        """Whether it is test code."""
        return "tests" in self.path.parts or self.path.name == "conftest.py"

    def find(self, node: ast.AST, message: str) -> Finding:
        """A finding at this node."""
        return Finding(self.path, getattr(node, "lineno", 1), message)


@dataclass(frozen=True)
class ServiceTree:
    """A service as files and as what it says of itself."""

    name: str
    root: Path

    @property
    def folder(self) -> Path:
        """services/<name>."""
        return self.root / "services" / self.name

    @property
    def package(self) -> Path:
        """services/<name>/flotilla_<name>."""
        return self.folder / f"flotilla_{self.name}"

    @property
    def contents(self) -> Path:
        """Its service.py, relative to the checkout."""
        return (self.package / "service.py").relative_to(self.root)

    @property
    def service(self) -> Service:
        """Its table of contents, imported; NotImportableError where that fails."""
        try:
            return load(self.name)
        except (ImportError, SyntaxError, ValueError, TypeError, NameError, AttributeError) as error:
            raise NotImportableError(f"{self.contents} can't be imported: {error!r}") from error

    def modules(self) -> Iterator[ModuleType]:
        """All its modules, imported."""
        package = importlib.import_module(f"flotilla_{self.name}")
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(".__main__"):
                yield importlib.import_module(found.name)


@dataclass(frozen=True)
class Project:
    """A checkout."""

    root: Path

    @property
    def shared(self) -> Path:
        """The one shared package."""
        return self.root / "libs" / "common" / "flotilla"

    def services(self) -> list[ServiceTree]:
        """Its services by name."""
        found = sorted((self.root / "services").glob("*/pyproject.toml"))
        return [ServiceTree(path.parent.name, self.root) for path in found]

    def running(self) -> list[ServiceTree]:
        """Those that have a table of contents; the anatomy check names those that have none."""
        return [service for service in self.services() if (service.package / "service.py").is_file()]

    def sources(self, folder: Path) -> list[Source]:
        """The Python files of a folder."""
        found = (path.relative_to(self.root) for path in sorted(folder.rglob("*.py")))
        return [_parsed(self.root, path) for path in found if not _is_foreign(path)]

    def files(self, *suffixes: str) -> Iterator[Path]:
        """Text files of the parts that people write, relative to the checkout."""
        for part in ("libs", "services", "checks", "tests", "bench", "deploy", "docs", "web"):
            for path in sorted((self.root / part).rglob("*")):
                relative = path.relative_to(self.root)
                if path.suffix in suffixes and path.is_file() and not _is_foreign(relative):
                    yield relative


@cache
def _parsed(root: Path, path: Path) -> Source:
    return Source(path, (root / path).read_text())


def _is_foreign(path: Path) -> bool:
    """Installed or built, not written here."""
    return any(part in ("node_modules", "__pycache__", "dist") or part.startswith(".") for part in path.parts)


def chain(node: ast.expr) -> list[str]:
    """`["app", "documents", "insert"]` of `app.documents.insert`, through calls and subscripts."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*chain(node.value), node.attr]
    if isinstance(node, ast.Call):
        return chain(node.func)
    if isinstance(node, ast.Subscript | ast.Await | ast.Starred):
        return chain(node.value)
    return []


def line_of(pattern: str, path: Path) -> int:
    """Where a pattern first stands in a file; 1 where it doesn't."""
    match = re.search(pattern, path.read_text(), re.IGNORECASE | re.MULTILINE) if path.is_file() else None
    return path.read_text()[: match.start()].count("\n") + 1 if match else 1
