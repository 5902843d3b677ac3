"""Calls that are always wrong: clocks without a zone, shells, pickles, prints in services, sleeps and mocks in tests.

Where the passing of time is itself what a test is about, `# sleep: <reason>` on the line says so.
"""

import ast
import re
from collections.abc import Iterator

from checks.project import Finding, Project, Source, chain

TITLE = "forbidden calls"
ESCAPE = re.compile(r"#\s*sleep:\s*\S")
DANGEROUS = {
    ("os", "system"): "starts a shell; give a program its arguments as a list",
    ("asyncio", "create_subprocess_shell"): "starts a shell; give a program its arguments as a list",
    ("pickle", "load"): "runs whatever its bytes say; read JSON into a declared type",
    ("pickle", "loads"): "runs whatever its bytes say; read JSON into a declared type",
    ("eval",): "runs whatever the text says",
    ("exec",): "runs whatever the text says",
}
SECRET = re.compile(
    r"(?:secret|password|signature|mac|csrf|(?:access|refresh|session|bearer|one_time)_token)$"
)
PARTS = ("libs", "services", "checks", "tests", "bench")


def check(project: Project) -> Iterator[Finding]:
    """All Python of the project."""
    for part in PARTS:
        for source in project.sources(project.root / part):
            prints, polling = _may_print(source), _polling(source.tree)
            for node in ast.walk(source.tree):
                if isinstance(node, ast.Compare) and not _of_tests(source) and _compares_secrets(node):
                    yield source.find(
                        node,
                        "compares a secret by ==, which takes as long as it is right; use hmac.compare_digest",
                    )
                if isinstance(node, ast.Call) and (message := _wrong(source, node, prints, polling)):
                    yield source.find(node, message)
                if source.in_tests and _imports_mocks(node):
                    yield source.find(
                        node, "mocks prove nothing; test against the real part, or a small fake of it"
                    )


def _wrong(source: Source, call: ast.Call, prints: bool, polling: set[ast.AST]) -> str | None:
    names = chain(call.func)
    if names[-2:] == ["datetime", "now"] and not call.args and not call.keywords:
        return "datetime.now() has no zone; say datetime.now(UTC)"
    if names[-2:] in (["datetime", "utcnow"], ["datetime", "utcfromtimestamp"]):
        return f"datetime.{names[-1]}() has no zone; say datetime.now(UTC)"
    if danger := DANGEROUS.get(tuple(names)):
        return danger
    if names[:1] == ["subprocess"] and any(word.arg == "shell" for word in call.keywords):
        return DANGEROUS["os", "system"]
    if names == ["print"] and not prints:
        return "prints; a service logs with structlog"
    sleeps = names in (["asyncio", "sleep"], ["time", "sleep"])
    said = ESCAPE.search(source.lines[call.lineno - 1])
    if source.in_tests and sleeps and not (said or call in polling or _yields_only(call)):
        return (
            "sleeps; await the event itself, or a condition with a deadline (flotilla.testing)"
            " — or, where time is what the test is about, say so: `# sleep: <reason>`"
        )
    return None


def _of_tests(source: Source) -> bool:
    return source.in_tests or "testing" in source.path.parts


def _compares_secrets(node: ast.Compare) -> bool:
    """Whether one of what must be equal is called a secret; None and other constants are none."""
    equal = any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
    sides = [node.left, *node.comparators]
    secret = any(names and SECRET.search(names[-1]) for names in map(chain, sides))
    return equal and secret and not any(isinstance(side, ast.Constant) for side in sides)


def _polling(tree: ast.Module) -> set[ast.AST]:
    """What stands in a `while` that asks for something again and again."""
    loops = (node for node in ast.walk(tree) if isinstance(node, ast.While))
    asking = (loop for loop in loops if not isinstance(loop.test, ast.Constant))
    return {node for loop in asking for node in ast.walk(loop)}


def _yields_only(call: ast.Call) -> bool:
    """`asyncio.sleep(0)` lets others run and waits for nothing."""
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def _may_print(source: Source) -> bool:
    """Command lines and reports; what runs as a program prints."""
    program = "__main__" in source.text
    return (
        program
        or source.in_tests
        or source.path.parts[0] in ("checks", "bench")
        or "cli" in source.path.parts
    )


def _imports_mocks(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name == "unittest.mock" for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        mocks = node.module == "unittest" and any(alias.name == "mock" for alias in node.names)
        return mocks or node.module == "unittest.mock"
    return False
