"""Examples put where bodies are: at each request and each answer that tells of success."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flotilla.http.openapi_examples import Examples

_JSON: Final = "application/json"
_TEXTS: Final = {
    "text/html": "<!doctype html><title>Flotilla</title>",
    "text/plain": "A text.",
    "text/csv": "name,email\r\nIryna,iryna@example.com\r\n",
    "text/event-stream": 'id: 1\ndata: {"type": "ping"}\n\n',
    "application/x-www-form-urlencoded": "grant_type=client_credentials",
}


def exemplify(
    paths: Mapping[str, Mapping[str, dict[str, Any]]], schemas: Mapping[str, Any]
) -> dict[str, Any]:
    """Give each JSON body of `paths` an example, in place; those of named schemas are shared: `components/examples`."""
    examples = Examples(schemas)
    shared: dict[str, Any] = {}
    for item in paths.values():
        for operation in item.values():
            for sent, kind, content in _bodies(operation):
                if "example" in content or "examples" in content:
                    continue
                if kind != _JSON:
                    if kind in _TEXTS:
                        content["example"] = _TEXTS[kind]
                    continue
                schema = content.get("schema", {})
                name = schema.get("$ref", "").rpartition("/")[2]
                if not name:
                    content["example"] = examples.of(schema, sent=sent)
                    continue
                key = f"{name}.sent" if sent else name
                if key not in shared:
                    shared[key] = {"value": examples.of(schema, sent=sent)}
                content["examples"] = {"usual": {"$ref": f"#/components/examples/{key}"}}
    return dict(sorted(shared.items()))


def _bodies(operation: Mapping[str, Any]) -> Iterator[tuple[bool, str, dict[str, Any]]]:
    """Whether it is sent, its media type, and the place its example belongs."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield True, kind, content
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            for kind, content in answer.get("content", {}).items():
                yield False, kind, content
