"""Names of schemas in a document over several services: shared where the same, prefixed where not.

They are what clients' types are called: `ContactOut` is a Contact, a page of them a ContactPage.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Schemas = dict[str, Any]

_REF: Final = "#/components/schemas/"
_SHOWN: Final = "Out"
_PAGE: Final = re.compile(r"Page_(\w+)_")
_PLACES: Final = ("flotilla", "api", "schemas", "bodies", "views", "domain", "")


def share(schemas: Mapping[str, Schemas], paths: Mapping[str, Mapping[str, Any]]) -> Schemas:
    """The schemas of all services in one table; references in them and in `paths` are renamed in place.

    `schemas` is by service, and each operation of `paths` names its service in `x-service`.
    """
    everything = {name for own in schemas.values() for name in own}
    plain = {
        service: _renamed(service, own, {name: _plain(name, everything) for name in own}, paths)
        for service, own in schemas.items()
    }
    clashing = _clashing(plain)
    table: Schemas = {}
    for service, own in plain.items():
        prefixed = {name: f"{service.title()}{name}" for name in own if name in clashing}
        table |= _renamed(service, own, prefixed, paths)
    for name, schema in table.items():
        schema["title"] = name
    return dict(sorted(table.items()))


def _renamed(
    service: str, own: Schemas, names: Mapping[str, str], paths: Mapping[str, Mapping[str, Any]]
) -> Schemas:
    """A service's schemas under these names; those that it calls by no new one keep theirs."""
    _rename(own, names)
    for item in paths.values():
        for operation in item.values():
            if operation["x-service"] == service:
                _rename(operation, names)
    renamed = {names.get(name, name): schema for name, schema in own.items()}
    if len(renamed) != len(own):
        raise ValueError(f"{service} would have two schemas of one name: {sorted(names.values())}")
    return renamed


def _plain(name: str, everything: set[str]) -> str:
    """Without what only the code is helped by; as it is where that would be another's name."""
    if page := _PAGE.fullmatch(name):
        return f"{_plain(page[1], everything)}Page"
    if "__" in name:  # two modules of one service have such a class
        *places, last = name.split("__")
        where = [place for place in places if place.partition("_")[0] not in _PLACES]
        return "".join(place.title().replace("_", "") for place in where[-1:]) + _plain(last, everything)
    short = name.removesuffix(_SHOWN)
    return name if short in everything else short


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
