"""Links: what can be done next with what an answer tells of (OpenAPI 3.1, section 4.8.20).

They follow from the paths: what `POST /v1/ships` answers with an `id` is read at `/v1/ships/{ship_id}`, and has its
crew at `/v1/ships/{ship_id}/crew`. Nothing is declared by hand.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Paths = Mapping[str, Mapping[str, dict[str, Any]]]

_PARAMETER: Final = re.compile(r"\{([^}]+)\}")
_MADE: Final = ("200", "201", "202")


def link(paths: Paths, schemas: Mapping[str, Any]) -> None:
    """Put links into the answers of `paths`, in place."""
    for path, item in paths.items():
        answers = item.get("post", {}).get("responses", {})
        for status in _MADE:
            links = dict(sorted(_links(paths, path))) if _has_id(answers.get(status, {}), schemas) else {}
            if links:
                answers[status]["links"] = links


def _has_id(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    reference = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    return "id" in schemas.get(reference.rpartition("/")[2], {}).get("properties", {})


def _links(paths: Paths, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """To all that is under the thing, and where it has a path of its own elsewhere, there."""
    known = _PARAMETER.findall(path)
    for other, item in paths.items():
        asked = _PARAMETER.findall(other)
        new = [name for name in asked if name not in known]
        if len(new) != 1 or not _is_of(path, other, new[0]):
            continue
        parameters = {name: f"$request.path.{name}" for name in asked if name in known}
        parameters[new[0]] = "$response.body#/id"
        for operation in item.values():
            name = operation["operationId"]
            yield name, {"operationId": name, "parameters": parameters}


def _is_of(path: str, other: str, parameter: str) -> bool:
    """Whether `other` names by `parameter` what `path` lists or makes."""
    if other.startswith(f"{path}/{{{parameter}}}"):
        return True
    kind = path.rpartition("/")[2].replace("-", "_")
    singular = kind[:-3] + "y" if kind.endswith("ies") else kind.removesuffix("s")
    return parameter == f"{singular}_id" and other.count("{") == 1
