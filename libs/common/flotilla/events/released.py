"""Released contracts only grow: contracts/released.lock holds what each promised, and this compares.

Both sides count on a contract: a listener built against the first release reads tomorrow's events, and
tomorrow's listener reads the archive's first ones. So the only change is a new field with a default;
everything else is a new version beside the old one.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from flotilla.events.base import Contract
from flotilla.events.schema import JsonSchema, envelope_schema

_CONSTRAINTS: Final = (
    "format",
    "const",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
)

Shape = str | dict[str, Any]
Entry = dict[str, Any]
Lock = dict[str, Entry]


def entry(contract: Contract) -> Entry:
    """What the lock says of a contract: its hash, its owner, the structure of its envelope and data."""
    schema = envelope_schema(contract)
    structure = shape(schema, schema.get("$defs", {}))
    promised = {
        "owner": contract.owner,
        "subject": contract.subject,
        "person": list(contract.person),
        "structure": structure,
    }
    return {"sha256": _digest(promised), **promised}


def shape(node: JsonSchema, definitions: Mapping[str, JsonSchema]) -> Shape:
    """A schema without its words: what may stand there, `field?` where it may be absent."""
    if "$ref" in node:
        return shape(definitions[node["$ref"].rpartition("/")[2]], definitions)
    personal = bool(node.get("x-personal-data"))
    if "enum" in node:
        return _marked({"enum": sorted(node["enum"], key=str)}, personal)
    if "anyOf" in node:
        return _marked(_union([shape(part, definitions) for part in node["anyOf"]]), personal)
    if "required" in node or ("properties" in node and "additionalProperties" not in node):
        required = set(node.get("required", ()))
        fields = {
            name if name in required else f"{name}?": shape(part, definitions)
            for name, part in sorted(node["properties"].items())
        }
        return _marked({"fields": fields}, personal)
    for keyword, name in (("items", "list"), ("additionalProperties", "map")):
        if isinstance(node.get(keyword), dict):
            return _marked({name: shape(node[keyword], definitions)}, personal)
    limits = [f"{name}={node[name]}" for name in _CONSTRAINTS if name in node]
    kind = node.get("type", "any")
    return _marked(f"{kind}({', '.join(limits)})" if limits else kind, personal)


def _union(parts: list[Shape]) -> Shape:
    texts = [part for part in parts if isinstance(part, str)]
    return " | ".join(texts) if len(texts) == len(parts) else {"any": parts}


def _marked(found: Shape, personal: bool) -> Shape:
    if not personal:
        return found
    return f"{found} personal" if isinstance(found, str) else {"personal": True, **found}


def broken(lock: Lock, contracts: Mapping[str, Contract]) -> list[str]:
    """What the code no longer keeps of what was released, and what to do about each."""
    found: list[str] = []
    for type_, released in sorted(lock.items()):
        promised = {name: value for name, value in released.items() if name != "sha256"}
        if released["sha256"] != _digest(promised):
            found.append(f"{type_}: its entry in released.lock was edited by hand; take the committed one")
            continue
        if type_ not in contracts:
            found.append(f"{type_}: was removed, but listeners and the archive still have it; put it back")
            continue
        new = entry(contracts[type_])
        advice = f"put it back, or declare {next_version(type_)} and emit it beside this one with the same id"
        found += [f"{type_}: {change}; {advice}" for change in _changes(released, new)]
    return found


def _changes(old: Entry, new: Entry) -> Iterator[str]:
    for name in ("owner", "subject", "person"):
        if old[name] != new[name]:
            yield f"its {name} was {old[name]!r} and is now {new[name]!r}"
    yield from differences("", old["structure"], new["structure"])


def differences(path: str, old: Shape, new: Shape) -> Iterator[str]:
    """What `new` takes away from `old`; a new field that may be absent takes nothing."""
    if old == new:
        return
    if isinstance(old, str) or isinstance(new, str) or old.keys() != new.keys():
        yield f"`{path}` was {_text(old)} and is now {_text(new)}"
    elif "fields" in old:
        yield from _field_differences(f"{path}." if path else "", old["fields"], new["fields"])
    elif "enum" in old:
        yield from _enum_differences(path, old["enum"], new["enum"])
    elif "any" in old and len(old["any"]) == len(new["any"]):
        for before, after in zip(old["any"], new["any"], strict=True):
            yield from differences(path, before, after)
    elif "any" in old:
        yield f"`{path}` was {_text(old)} and is now {_text(new)}"
    else:
        for inner in old.keys() & {"list", "map"}:
            yield from differences(f"{path}[]", old[inner], new[inner])


def _field_differences(path: str, old: dict[str, Shape], new: dict[str, Shape]) -> Iterator[str]:
    for field, before in old.items():
        name = field.removesuffix("?")
        if field in new:
            yield from differences(f"{path}{name}", before, new[field])
        elif name in new:
            yield f"`{path}{name}` could be absent and is now required"
        elif f"{name}?" in new:
            yield f"`{path}{name}` was always there and can now be absent"
        else:
            yield f"`{path}{name}` was removed or renamed"
    known = {field.removesuffix("?") for field in old}
    for field in new:
        if field not in known and not field.endswith("?"):
            yield f"`{path}{field}` is new and required, but earlier events lack it: give it a default"


def _enum_differences(path: str, old: list[Any], new: list[Any]) -> Iterator[str]:
    if gone := [value for value in old if value not in new]:
        yield f"`{path}` can no longer be {_text(gone)}"
    if more := [value for value in new if value not in old]:
        yield f"`{path}` can now be {_text(more)}, which listeners of the released one refuse"


def next_version(type_: str) -> str:
    """`task.created.v2` of `task.created.v1`."""
    name, _, version = type_.rpartition(".v")
    return f"{name}.v{int(version) + 1}"


def promise(types: Iterable[str], contracts: Mapping[str, Contract]) -> Lock:
    """The lock of these types as they are now."""
    return {type_: entry(contracts[type_]) for type_ in types}


def read_lock(path: Path) -> Lock:
    """Empty where nothing was released yet."""
    if not path.is_file():
        return {}
    lock: Lock = json.loads(path.read_text())
    return lock


def write_lock(lock: Lock) -> str:
    """The text of the lock."""
    return json.dumps(lock, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _digest(promised: Entry) -> str:
    return hashlib.sha256(json.dumps(promised, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
