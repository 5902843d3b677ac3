"""Every event that is emitted or handled has a contract, every contract an emitter, and contracts hold together.

A contract belongs to one service. That service lists it in `emits` and makes it somewhere; nobody else does,
but for a wish: any service may ask, at least one does, and the owner answers; and but for a shared fact, which any
service may tell of itself.
Personal fields can be null (an erased person's are), and say whose they are.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from flotilla.events import CONTRACTS, Contract
from flotilla.events.base import Event
from flotilla.events.schema import JsonSchema, envelope_schema

from checks.project import Finding, Project, ServiceTree, Source, chain, line_of

TITLE = "events and their contracts"


def check(project: Project, contracts: Mapping[str, Contract] = CONTRACTS) -> Iterator[Finding]:
    """Contracts by themselves, then each service against them."""
    for contract in contracts.values():
        for message in incoherent(contract):
            yield Finding(*_place(project, contract), f"{contract.type}: {message}")
    for service in project.running():
        yield from _of_service(project, service, contracts)
    yield from _unasked(project, contracts)


def incoherent(contract: Contract) -> Iterator[str]:
    """What is wrong with one contract."""
    schema = envelope_schema(contract)
    data = schema["properties"]["data"]
    fields = data["properties"]
    for field in (contract.subject, *contract.person):
        if field not in fields:
            yield f"it has no field `{field}`, which it names as its subject or person"
    if contract.personal_fields and not contract.person:
        yield "it has personal fields but says not whose: add person=(…)"
    if contract.person and _nullable(fields.get(contract.person[-1], {})):
        yield f"`{contract.person[-1]}` may be null, and then nobody's key seals it; add one that is always set"
    for name, field in fields.items():
        personal = field.get("x-personal-data", False)
        if personal and not _nullable(field):
            yield f"`{name}` is personal and can't be null, so it can't be erased"
        if not personal and _holds_personal(field, schema):
            yield f"`{name}` holds personal fields: mark it PERSONAL as a whole, the archive seals whole fields"


def _of_service(
    project: Project, service: ServiceTree, contracts: Mapping[str, Contract]
) -> Iterator[Finding]:
    said = service.service
    own = {contract.data for contract in contracts.values() if contract.owner == service.name}
    known = {contract.data for contract in contracts.values()}
    handled = {data for handler in said.handlers for data in handler.types}
    listed = set(said.emits)
    for data in sorted((handled | listed) - known, key=_name):
        yield Finding(
            service.contents, _line(project, service, data), f"{_name(data)} has no contract: register it"
        )
    wishes = {contract.data for contract in contracts.values() if contract.wish or contract.shared}
    for data in sorted(listed & known - own - wishes, key=_name):
        message = f"{_name(data)} belongs to another service; only its owner emits it"
        yield Finding(service.contents, _line(project, service, data), message)
    made = _made(project.sources(service.package), {_name(data) for data in own | wishes})
    for data in sorted(own - wishes - listed, key=_name):
        yield Finding(
            service.contents, 1, f"{_name(data)} is a contract of {service.name}; list it in emits=(…)"
        )
    for data in sorted((own | wishes) & listed, key=_name):
        if _name(data) not in made:
            message = f"{_name(data)} is listed but never made; emit it with tx.emit(…) or drop its contract"
            yield Finding(service.contents, _line(project, service, data), message)


def _unasked(project: Project, contracts: Mapping[str, Contract]) -> Iterator[Finding]:
    """Wishes that no service has, though the one that would answer is here."""
    running = project.running()
    listed = {data for service in running for data in service.service.emits}
    here = {service.name for service in running}
    for contract in contracts.values():
        if contract.wish and contract.owner in here and contract.data not in listed:
            yield Finding(
                *_place(project, contract), f"{contract.type}: nobody asks for it; list it in emits=(…)"
            )


def _made(sources: list[Source], names: set[str]) -> set[str]:
    """Which of these classes the code uses as a value, beside listing them and naming them as types."""
    found: set[str] = set()
    for source in sources:
        if source.path.name != "service.py":
            typed = set(map(id, _annotations(source.tree)))
            for node in ast.walk(source.tree):
                if isinstance(node, ast.Name | ast.Attribute) and id(node) not in typed:
                    found.update(chain(node)[-1:])
    return found & names


def _annotations(tree: ast.Module) -> Iterator[ast.AST]:
    """Everything that is a type or a decorator's argument, not a value."""
    for node in ast.walk(tree):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [node.returns, *node.decorator_list]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.Call) and chain(node.func)[-1:] == ["isinstance"]:
            parts = [*node.args]
        for part in parts:
            yield from ast.walk(part) if part is not None else ()


def _nullable(field: JsonSchema) -> bool:
    return any(part.get("type") == "null" for part in field.get("anyOf", ()))


def _holds_personal(node: object, root: JsonSchema) -> bool:
    if isinstance(node, list):
        return any(_holds_personal(part, root) for part in node)
    if not isinstance(node, dict):
        return False
    if node.get("x-personal-data"):
        return True
    if "$ref" in node:
        return _holds_personal(root["$defs"][node["$ref"].rpartition("/")[2]], root)
    inner = (value for key, value in node.items() if key in ("anyOf", "items", "additionalProperties"))
    fields = node.get("properties", {}) if "required" in node else {}
    return any(_holds_personal(part, root) for part in (*inner, *fields.values()))


def _place(project: Project, contract: Contract) -> tuple[Path, int]:
    path = project.shared / "events" / f"{contract.owner}.py"
    return path.relative_to(project.root), line_of(rf"class {contract.data.__name__}\b", path)


def _line(project: Project, service: ServiceTree, data: type[Event]) -> int:
    return line_of(rf"\b{_name(data)}\b", project.root / service.contents)


def _name(data: type[Event]) -> str:
    return data.__name__
