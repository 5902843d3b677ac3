"""Names of schemas in a document over several services: shared where the same, prefixed where not."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schemas = dict[str, Any]

_REF: Final = "#/components/schemas/"


def share(schemas: Mapping[str, Schemas], paths: Mapping[str, Mapping[str, Any]]) -> Schemas:
    """The schemas of all services in one table; references in them and in `paths` are renamed in place.

    `schemas` is by service, and each operation of `paths` names its service in `x-service`.
    """
    clashing = _clashing(schemas)
    table: Schemas = {}
    for service, own in schemas.items():
        names = {name: f"{service.title()}{name}" for name in own if name in clashing}
        _rename(own, names)
        table |= {names.get(name, name): schema for name, schema in own.items()}
        for item in paths.values():
            for operation in item.values():
                if operation["x-service"] == service:
                    _rename(operation, names)
    return dict(sorted(table.items()))


def _clashing(schemas: Mapping[str, Schemas]) -> set[str]:
    """Names that mean different things in different services, by themselves or by what they refer to."""
    by_name: dict[str, list[Any]] = {}
    for own in schemas.values():
        for name, schema in own.items():
            by_name.setdefault(name, []).append(schema)
    shared = {name: found for name, found in by_name.items() if len(found) > 1}
    clashing = {name for name, found in shared.items() if any(schema != found[0] for schema in found)}
    while more := {name for name in shared.keys() - clashing if clashing & set(_references(shared[name]))}:
        clashing |= more
    return clashing


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_REF)
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for part in node:
            yield from _references(part)


def _rename(node: Any, names: Mapping[str, str]) -> None:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and (name := names.get(reference.removeprefix(_REF))):
            node["$ref"] = _REF + name
        for value in node.values():
            _rename(value, names)
    elif isinstance(node, list):
        for part in node:
            _rename(part, names)
