"""The API's document as whoever works in an organization would read it: its examples are of things that are there."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from tests.e2e.routes import STRETCH, calls
from tests.e2e.writes import body_of

JSON: Final = "application/json"
ANY_STATE: Final = "*"
"""An `If-Match` that whatever is there matches."""
SHORT: Final = {"limit": 1}
"""Of lists: each thing in them is one to try everything with."""
USUALLY: Final = 0.7
"""How often a path is of something that is there; else of nothing, or of what was just made."""


def exemplified(document: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """A copy with examples of what these ids name, in paths and in bodies, and none that no organization has.

    It has no `default` answers: a status that an operation is not said to answer with is then one that is not said.
    """
    copy = deepcopy(dict(document))
    headers = copy["components"]["parameters"]
    headers["If-Match"]["example"] = ANY_STATE
    headers["Idempotency-Key"].pop("example")
    for call in calls(copy):
        operation = copy["paths"][call.path][call.method.lower()]
        values = {
            **call.values(ids),
            **{name: call.required[name] for name in STRETCH if name in call.required},
        }
        for parameter in operation.get("parameters", ()):
            if parameter.get("name") in values:
                parameter["example"] = values[parameter["name"]]
        if JSON in (content := operation.get("requestBody", {}).get("content", {})):
            told = _example(copy, content[JSON])
            content[JSON] = {
                "schema": content[JSON]["schema"],
                "example": body_of(replace(call, body=told), ids),
            }
        operation["responses"] = {
            status: _without_examples(answer)
            for status, answer in operation["responses"].items()
            if status != "default"
        }
    return copy


def _example(document: Mapping[str, Any], content: Mapping[str, Any]) -> Any:
    """The document's own, of a body."""
    if "example" in content:
        return content["example"]
    name = content["examples"]["usual"]["$ref"].rpartition("/")[2]
    return document["components"]["examples"][name]["value"]


def _without_examples(answer: dict[str, Any]) -> dict[str, Any]:
    """What is answered with is no value to ask with."""
    for content in answer.get("content", {}).values():
        content.pop("example", None)
        content.pop("examples", None)
    return answer


def dictionaries(ids: Mapping[str, str]) -> str:
    """The same for values that are made up, in schemathesis.toml: paths are of what is there more often than not.

    DELETE is of what was made meanwhile: what all others are about stays.
    """
    values: dict[str, list[str]] = {}
    for name, id_ in ids.items():
        values.setdefault(name.partition("@")[0], []).append(id_)
    lines = [f"[dictionaries.{name}]\nvalues = {json.dumps(found)}\n" for name, found in values.items()]
    lines.append(f'[dictionaries.state]\nvalues = ["{ANY_STATE}"]\n')
    lines.append("[parameters]")
    lines += [_bound(f"path.{name}", name, USUALLY) for name in values]
    lines.append(_bound("header.If-Match", "state", USUALLY))
    lines.append('\n[[operations]]\ninclude-method = "DELETE"\n[operations.parameters]')
    lines += [_bound(f"path.{name}", name, 0.0) for name in values]
    return "\n".join(lines) + "\n"


def _bound(parameter: str, dictionary: str, probability: float) -> str:
    return f'"{parameter}" = {{ dictionary = "{dictionary}", probability = {probability} }}'
