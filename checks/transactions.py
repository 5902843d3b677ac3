"""Nothing outside is awaited while a transaction is open.

A transaction is open in the body of `async with ….transaction(…) as tx`, after `tx = await work.begin()`, and
in every function that takes a `Transaction` or `Tx`. There, only what belongs to the transaction may be
awaited: its own methods, and functions that are given it. `# outside: <reason>` on the line is the way out.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from checks.project import Finding, Project, Source, chain

TITLE = "nothing outside in a transaction"
ESCAPE = re.compile(r"#\s*outside:\s*(\S.*)?$")
OUTSIDE = frozenset(
    {"client", "documents", "http", "obstore", "openai", "provider", "redis", "relay", "smtp"}
)
"""Names of what is outside, wherever they stand in a chain: `app.own.provider.complete(tx)` is outside too."""
BLOCKING = frozenset({"requests", "urllib", "smtplib", "socket", "subprocess", "obstore"})
"""Modules that reach outside without being awaited."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True)
class Region:
    """Statements that run in an open transaction, and the name it has there."""

    name: str
    body: list[ast.stmt]


def check(project: Project) -> Iterator[Finding]:
    """All packages of services and the shared one."""
    folders = [project.shared, *(service.package for service in project.services())]
    for folder in folders:
        for source in project.sources(folder):
            yield from sorted(set(_findings(source)))


def note(project: Project) -> str:
    """How many lines take the way out."""
    folders = [project.shared, *(service.package for service in project.services())]
    escapes = sum(
        bool((found := ESCAPE.search(line)) and found[1])
        for folder in folders
        for source in project.sources(folder)
        for line in source.lines
    )
    return f"{escapes} by `# outside:`" if escapes else ""


def _findings(source: Source) -> Iterator[Finding]:
    for region in _regions(source.tree):
        given = _given(region)
        for node in _nodes(region.body):
            for awaited in _awaited(node):
                if not _belongs(awaited, given):
                    yield from _unless_escaped(source, awaited, _advice(awaited, region.name))
            if isinstance(node, ast.Call) and chain(node.func)[:1] and chain(node.func)[0] in BLOCKING:
                yield from _unless_escaped(source, node, _advice(node, region.name))


def _advice(node: ast.expr, name: str) -> str:
    called = ".".join(chain(node)) or ast.unparse(node)
    return (
        f"`{called}` is awaited while the transaction `{name}` is open; do it in prepare, before begin, or in a job"
        f" — or, where it can't wait for anything outside, say so: `# outside: <reason>`"
    )


def _unless_escaped(source: Source, node: ast.expr, message: str) -> Iterator[Finding]:
    lines = source.lines[node.lineno - 1 : node.end_lineno]
    escape = next((found for line in lines if (found := ESCAPE.search(line))), None)
    if escape is None:
        yield source.find(node, message)
    elif not escape[1]:
        yield source.find(node, "`# outside:` needs a reason")


def _regions(tree: ast.Module) -> Iterator[Region]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield from (Region(name, node.body) for name in _taken(node))
            yield from _after_begin(node)
        elif isinstance(node, ast.AsyncWith):
            for item in node.items:
                if chain(item.context_expr)[-1:] == ["transaction"] and isinstance(
                    item.optional_vars, ast.Name
                ):
                    yield Region(item.optional_vars.id, node.body)


def _taken(function: Function) -> Iterator[str]:
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.annotation is None:
            continue
        annotation = ast.unparse(argument.annotation).strip("'\"")
        if annotation.split(".")[-1] in ("Transaction", "Tx"):
            yield argument.arg


def _after_begin(function: Function) -> Iterator[Region]:
    """What follows `tx = await work.begin()` in the same block."""
    for block in _blocks(function):
        for index, statement in enumerate(block):
            if (
                isinstance(statement, ast.Assign)
                and isinstance(statement.value, ast.Await)
                and chain(statement.value)[-1:] == ["begin"]
                and isinstance(statement.targets[0], ast.Name)
            ):
                yield Region(statement.targets[0].id, block[index + 1 :])


def _blocks(function: Function) -> Iterator[list[ast.stmt]]:
    for node in [function, *_nodes(function.body)]:
        for part in ("body", "orelse", "finalbody"):
            block = getattr(node, part, None)
            if isinstance(block, list) and not (node is not function and isinstance(node, INNER)):
                yield block


def _nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Everything in a block, functions made in it aside: they run at another time."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, INNER):
            yield node
            waiting.extend(ast.iter_child_nodes(node))


def _awaited(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Await):
        yield node.value
    elif isinstance(node, ast.AsyncWith):
        yield from (item.context_expr for item in node.items)
    elif isinstance(node, ast.AsyncFor) or (isinstance(node, ast.comprehension) and node.is_async):
        yield node.iter


def _given(region: Region) -> set[str]:
    """Names bound to the transaction or to something made with it: `store = Contacts(tx)`."""
    given = {region.name}
    for node in _nodes(region.body):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _passes(node.value, given):
            given |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return given


def _belongs(awaited: ast.expr, given: set[str]) -> bool:
    if isinstance(awaited, ast.IfExp):
        return _belongs(awaited.body, given) and _belongs(awaited.orelse, given)
    names = chain(awaited)
    if names[-1:] == ["nullcontext"]:
        return True
    if OUTSIDE & {name.strip("_").lower() for name in names}:
        return False
    if names and names[0] in given:
        return True
    return isinstance(awaited, ast.Call) and _passes(awaited, given)


def _passes(call: ast.Call, given: set[str]) -> bool:
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(value, ast.Name) and value.id in given for value in values)
