"""The merged OpenAPI document as a list of calls that a test can make."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

METHODS = ("get", "post", "put", "patch", "delete")
SAMPLES = {
    "uuid": "00000000-0000-7000-8000-000000000000",
    "date": "2030-01-01",
    "date-time": "2030-01-01T00:00:00Z",
    "email": "a@example.org",
}
TODAY: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
STRETCH: Final = {"from": TODAY - timedelta(days=1), "to": TODAY + timedelta(days=2)}
"""What a question about some days is about: today's too, where it has become tomorrow since this was read."""


@dataclass(frozen=True)
class Call:
    """One operation."""

    method: str
    path: str
    """With parameters in braces."""
    public: bool
    parameters: tuple[str, ...]
    body: Any
    """A body that its schema accepts, as small as it may be; None where there is none."""
    required: Mapping[str, str]
    """Query parameters that must be given."""
    permission: str = "public"
    reach: str | None = None
    """`rows`, `free` or `all`, of a permission that may be held for less than all."""
    keeps: bool = True
    """Whether something of it stands anywhere afterwards."""
    guarded: bool = False
    """Whether it looks at If-Match: with that of another state it does nothing but answer 412."""

    @property
    def name(self) -> str:
        """As people say it."""
        return f"{self.method} {self.path}"

    def values(self, ids: Mapping[str, str]) -> dict[str, str]:
        """What its path says of the thing with these ids, as far as they name it.

        `saga_id@auth` is what `/v1/sagas/auth/{saga_id}` has; `saga_id` what it is elsewhere.
        """
        parts = self.path.split("/")
        special = {name: at for name in self.parameters for part in parts if (at := f"{name}@{part}") in ids}
        return {name: ids[key] for name in self.parameters if (key := special.get(name, name)) in ids}

    def at(self, ids: Mapping[str, str]) -> str:
        """The path of the thing with these ids; KeyError where one is missing."""
        values, path = self.values(ids), self.path
        for name in self.parameters:
            path = path.replace(f"{{{name}}}", values[name])
        query = "&".join(f"{name}={ids.get(name, value)}" for name, value in self.required.items())
        return f"{path}?{query}" if query else path


def calls(document: dict[str, Any]) -> Iterator[Call]:
    """Every operation of the document."""
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                yield _call(document, path, method, operations[method])


def _call(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Call:
    parameters = [_resolved(document, each) for each in operation.get("parameters", ())]
    content = _resolved(document, operation.get("requestBody", {})).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return Call(
        method=method.upper(),
        path=path,
        public=operation["x-permission"] == "public",
        parameters=tuple(each["name"] for each in parameters if each["in"] == "path"),
        body=sample(document, schema) if schema else None,
        required={
            each["name"]: _asked(document, each)
            for each in parameters
            if each["in"] == "query" and each.get("required")
        },
        permission=operation["x-permission"],
        reach=operation.get("x-reach"),
        keeps=operation.get("x-audit") != "nothing",
        guarded=any(each["in"] == "header" and each["name"] == "If-Match" for each in parameters),
    )


def _asked(document: dict[str, Any], parameter: dict[str, Any]) -> str:
    """A value of a query parameter."""
    if (moment := STRETCH.get(parameter["name"])) is None:
        return str(sample(document, parameter["schema"]))
    is_day = parameter["schema"].get("format") == "date"
    return moment.date().isoformat() if is_day else moment.isoformat().replace("+00:00", "Z")


def sample(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """The smallest value that a schema accepts."""
    schema = _resolved(document, schema)
    if "default" in schema:
        return schema["default"]
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return sample(document, schema[choice][0])
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", [])
            return {name: sample(document, schema["properties"][name]) for name in wanted}
        case "array":
            return [sample(document, schema["items"])] * schema.get("minItems", 0)
        case "string":
            return SAMPLES.get(schema.get("format", ""), "x" * max(schema.get("minLength", 1), 1))
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
    return None


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema
