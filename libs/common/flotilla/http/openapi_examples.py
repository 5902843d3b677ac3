"""Examples of bodies, made of their schemas: valid ones, and such as a reader recognises.

A field's own `examples` come first; else its format, its values or its name say what it is like. What can't be made
is an error that names the schema: give the field `examples=[…]` there.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

ID: Final = "0199d4e2-7a1c-7c3e-9b1f-5d2a6c0e41f7"
_FORMATS: Final = {
    "uuid": ID,
    "date-time": "2026-11-20T09:30:00Z",
    "date": "2026-11-20",
    "time": "09:30:00",
    "email": "iryna@example.com",
    "uri": "https://example.com/",
    "uri-reference": "/v1/contacts",
    "duration": "PT30M",
    "binary": "…",
    "password": "correct horse battery staple 7",
    "decimal": "10.00",
}
_NAMES: Final = {
    "name": "Harbour Coffee",
    "person": "Iryna Koval",
    "scope": "contacts:read",
    "first_name": "Iryna",
    "last_name": "Koval",
    "organization_name": "Harbour Coffee",
    "title": "Fifty bags a month",
    "subject": "Your order",
    "text": "Do you deliver to Vienna?",
    "body": "Do you deliver to Vienna?",
    "detail": "Two of three have answered.",
    "description": "For shops with up to five people.",
    "reason": "They asked for it.",
    "password": "correct horse battery staple 7",
    "email": "iryna@example.com",
    "address": "iryna@example.com",
    "phone": "+4930123456",
    "number": "+4930123456",
    "domain": "example.com",
    "url": "https://example.com/hooks/flotilla",
    "country": "DE",
    "currency": "EUR",
    "language": "en",
    "locale": "en",
    "timezone": "Europe/Berlin",
    "time_zone": "Europe/Berlin",
    "type": "deal.won.v1",
    "amount_minor": 4900,
    "limit": 50,
    "status": 200,
    "query": "delivery to Austria",
    "next_cursor": "WyIwMTk5ZDRlMiJd",
    "key": "new_inbox",
    "code": "123456",
    "vat_number": "DE136695976",
}
_PEOPLE: Final = re.compile(r"(New)?(Contact|Lead|User|Me|Person|Invit|Sign|Member|Host|Agent)")
"""What has the name of a person, and not of a thing."""
_WORDS: Final = (
    *(word for word in _NAMES.values() if isinstance(word, str)),
    *("EUR", "DE", "en", "09:30", "123456", "10.00", "10", "spring_sale", "name", "A1", "contacts:read"),
    *("contact.created", "deal.won.v1", "en_core", "SE4", "aGFyYm91cg", "x" * 43, "x" * 64, "x"),
)
"""Tried in turn for a text with a pattern or a length."""


class NoExampleError(ValueError):
    """No example can be made of a schema; the message says of which and why."""


class Examples:
    """Examples of the schemas of one document."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, *, sent: bool, name: str = "") -> Any:
        """A valid value; of a body that is `sent`, only what must be said."""
        return self._make(schema, name, sent, ())

    def _make(self, schema: Schema, name: str, sent: bool, within: tuple[str, ...]) -> Any:
        if schema.get("examples"):
            return schema["examples"][0]
        if "$ref" in schema:
            reference = schema["$ref"].rpartition("/")[2]
            if reference in within:
                raise NoExampleError(f"{reference} holds itself")
            return self._make(self._schemas[reference], name, sent, (*within, reference))
        for known in ("example", "const"):
            if known in schema:
                return schema[known]
        if schema.get("enum"):
            return schema["enum"][0]
        return self._typed(schema, name, sent, within)

    def _typed(self, schema: Schema, name: str, sent: bool, within: tuple[str, ...]) -> Any:
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self._chosen(choices, name, sent, within)
        if "allOf" in schema:
            parts = [self._make(part, name, sent, within) for part in schema["allOf"]]
            return {key: value for part in parts for key, value in part.items()}
        match schema.get("type"):
            case "object":
                return self._object(schema, sent, within)
            case "array":
                return self._array(schema, name, sent, within)
            case "string":
                return _text(schema, name)
            case "integer" | "number":
                return _number(schema, name)
            case "boolean":
                return schema.get("default", True)
            case "null":
                return None
        return "Vienna"

    def _chosen(self, choices: list[Schema], name: str, sent: bool, within: tuple[str, ...]) -> Any:
        """The first that one can be made of; null where it holds itself."""
        for choice in sorted(choices, key=lambda each: each.get("type") == "null"):
            try:
                return self._make(choice, name, sent, within)
            except NoExampleError:
                continue
        raise NoExampleError(f"{name}: none of the choices")

    def _object(self, schema: Schema, sent: bool, within: tuple[str, ...]) -> dict[str, Any]:
        fields = schema.get("properties", {})
        required = schema.get("required", ())
        shown = [field for field in fields if field in required or not sent]
        if fields and not shown and sent:
            shown = [next(iter(fields))]
        person = _PEOPLE.match(schema.get("title", ""))
        names = {"name": "person"} if person else {}
        made = {field: self._make(fields[field], names.get(field, field), sent, within) for field in shown}
        values = schema.get("additionalProperties")
        if not fields and isinstance(values, dict) and schema.get("minProperties"):
            key = _text(schema.get("propertyNames", {}), "key")
            made[key] = self._make(values, key, sent, within)
        return made

    def _array(self, schema: Schema, name: str, sent: bool, within: tuple[str, ...]) -> list[Any]:
        if "prefixItems" in schema:
            return [self._make(item, name, sent, within) for item in schema["prefixItems"]]
        fewest = schema.get("minItems", 0)
        singular = name.removesuffix("s")
        try:
            item = self._make(schema.get("items", {}), singular, sent, within)
        except NoExampleError:
            if fewest:
                raise
            return []
        return [item] * max(1, fewest)


def _text(schema: Schema, name: str) -> str:
    for word in _words(schema, name):
        if _fits(word, schema):
            return word
    raise NoExampleError(f"{name}: no usual word fits {dict(schema)}; give the field examples=[…]")


def _words(schema: Schema, name: str) -> Iterator[str]:
    if (known := schema.get("format")) in _FORMATS:
        yield _FORMATS[known]
    if schema.get("default"):
        yield schema["default"]
    for field in (name, name.rpartition("_")[2]):
        if isinstance(word := _NAMES.get(field), str):
            yield word
    if name:
        yield name
    yield from _WORDS
    yield "x" * schema.get("minLength", 1)


def _fits(word: str, schema: Schema) -> bool:
    longest = schema.get("maxLength", len(word))
    return schema.get("minLength", 0) <= len(word) <= longest and bool(
        re.search(schema.get("pattern", ""), word)
    )


def _number(schema: Schema, name: str) -> float:
    usual = _NAMES.get(name)
    wanted = schema.get("default") or (usual if isinstance(usual, int) else 1)
    if "minimum" in schema or "exclusiveMinimum" in schema:
        wanted = max(wanted, schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
    if "maximum" in schema or "exclusiveMaximum" in schema:
        wanted = min(wanted, schema.get("maximum", schema.get("exclusiveMaximum", 0) - 1))
    number: float = wanted
    return number
