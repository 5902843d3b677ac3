"""A contract as JSON Schema 2020-12: the whole envelope, with the event's `data` inlined."""

import ast
import inspect
import re
import textwrap
from typing import Any, Final, TypeGuard

import msgspec

from flotilla.events.base import SEQUENCE_WIDTH, Contract, Envelope

ASKERS: Final = "^/flotilla/[a-z]+$"
"""Sources of a wish or of a shared fact: any service may ask or tell it."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_EXAMPLE_ID: Final = "0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7"
_EXAMPLE_TIME: Final = "2026-01-15T09:30:00Z"
_FIRST_WORD: Final = re.compile(r"^`(\w+)`")

JsonSchema = dict[str, Any]


def envelope_schema(contract: Contract) -> JsonSchema:
    """What stands in contracts/events/<type>.json."""
    data, definitions = _described(contract.data)
    _mark_changed(data, contract)
    envelope, _ = _described(Envelope)
    fixed = {"type": contract.type, "source": contract.source, "dataschema": contract.dataschema}
    properties = envelope["properties"] | {
        name: {**_about(envelope["properties"][name]), "const": value} for name, value in fixed.items()
    }
    if contract.wish or contract.shared:
        properties["source"] = {**_about(envelope["properties"]["source"]), "pattern": ASKERS}
    properties["sequence"] |= {"pattern": f"^[0-9]{{{SEQUENCE_WIDTH}}}$"}
    properties = {name: node for name, node in properties.items() if name != "data"} | {"data": data}
    schema: JsonSchema = {
        "$schema": DIALECT,
        "$id": contract.dataschema,
        "title": contract.type,
        "description": data.get("description", ""),
        "x-owner": contract.owner,
        "x-subject": contract.subject,
        "x-person": list(contract.person),
        "type": "object",
        "properties": properties,
        "required": envelope["required"],
    }
    if definitions:
        schema["$defs"] = definitions
    example = _example(schema, schema, "")
    example["subject"] = str(example["data"].get(contract.subject))
    return schema | {"examples": [example]}


def _described(struct: type[msgspec.Struct]) -> tuple[JsonSchema, dict[str, JsonSchema]]:
    """The schema of a struct and of those inside it, each field with its docstring."""
    (_,), components = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    classes = {cls.__name__: cls for cls in _structs(struct)}
    for name, schema in components.items():
        docs = _field_docs(classes[name])
        for field, node in schema["properties"].items():
            if field in docs:
                schema["properties"][field] = {"description": docs[field], **node}
    top = components.pop(struct.__name__)
    return top, dict(sorted(components.items()))


def _structs(struct: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """A struct and all that stand in its fields."""
    found: list[type[msgspec.Struct]] = []

    def visit(node: object) -> None:
        if isinstance(node, msgspec.inspect.StructType):
            if node.cls in found:
                return
            found.append(node.cls)
            for field in node.fields:
                visit(field.type)
        elif isinstance(node, msgspec.inspect.Type):
            for name in node.__struct_fields__:
                value = getattr(node, name)
                for part in value if isinstance(value, tuple) else (value,):
                    visit(part)

    visit(msgspec.inspect.type_info(struct))
    return found


def _field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The string under each field, the struct's own and what it inherits."""
    docs: dict[str, str] = {}
    for cls in reversed(struct.__mro__):
        if not issubclass(cls, msgspec.Struct) or cls is msgspec.Struct:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(text):
                docs[field.target.id] = " ".join(ast.literal_eval(text.value).split())
    return docs


def _is_text(node: ast.stmt) -> TypeGuard[ast.Expr]:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _mark_changed(data: JsonSchema, contract: Contract) -> None:
    """Old and new values of a personal field are as personal as the field."""
    personal = {name: {"type": "array", "x-personal-data": True} for name in contract.personal_fields}
    if personal:
        data["properties"]["changed"] = {**data["properties"]["changed"], "properties": personal}


def _about(node: JsonSchema) -> JsonSchema:
    return {"description": node["description"]} if "description" in node else {}


def _example(node: JsonSchema, root: JsonSchema, field: str) -> Any:
    """A plausible value: what a listener's author looks at first."""
    if "$ref" in node:
        return _example(root["$defs"][node["$ref"].rpartition("/")[2]], root, field)
    for said in ("const", "default"):
        if said in node:
            return node[said]
    if "enum" in node:
        return node["enum"][0]
    if "anyOf" in node:
        return _example({**node["anyOf"][0], **_about(node)}, root, field)
    if "properties" in node and "required" in node:
        return {name: _example(node["properties"][name], root, name) for name in node["required"]}
    if node.get("type") == "array":
        return [_example(node["items"], root, field)] if "items" in node else []
    return _example_scalar(node, field)


def _example_scalar(node: JsonSchema, field: str) -> Any:
    if "pattern" in node:
        return "/flotilla/automation" if node["pattern"] == ASKERS else "1".zfill(SEQUENCE_WIDTH)
    by_format = {"uuid": _EXAMPLE_ID, "date-time": _EXAMPLE_TIME, "date": _EXAMPLE_TIME[:10]}
    by_type: dict[str, Any] = {"integer": 1, "number": 0.9, "boolean": True, "object": {}}
    if word := _FIRST_WORD.match(node.get("description", "")):
        return word[1]
    return by_format.get(node.get("format", ""), by_type.get(node.get("type", ""), field))
