"""Links: what can be done next with what an answer tells of (OpenAPI 3.1, section 4.8.20).

They follow from the paths: what `POST /v1/ships` answers with an `id` is read at `/v1/ships/{ship_id}`, and has its
crew at `/v1/ships/{ship_id}/crew`; a list leads to each of its items. Nothing is declared by hand.
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
        for method, operation in item.items():
            if method not in ("get", "post"):
                continue
            for status in _MADE:
                answer = operation["responses"].get(status)
                pointer = _pointer(answer, schemas) if answer else None
                if answer and pointer and (links := dict(sorted(_links(paths, path, method, pointer)))):
                    answer["links"] = links


def _pointer(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> str | None:
    """Where in the body the id stands: of the thing itself, or of the first of a page."""
    reference = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    properties = _properties(reference, schemas)
    if "id" in properties:
        return "/id"
    items = properties.get("items", {}).get("items", {}).get("$ref", "")
    return "/items/0/id" if "next_cursor" in properties and "id" in _properties(items, schemas) else None


def _properties(reference: str, schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas.get(reference.rpartition("/")[2], {}).get("properties", {})
    return found


def _links(paths: Paths, path: str, method: str, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """To all that is under the thing, and where it has a path of its own elsewhere, there."""
    known = _PARAMETER.findall(path)
    for other, item in paths.items():
        asked = _PARAMETER.findall(other)
        new = [name for name in asked if name not in known]
        if len(new) != 1 or not _is_of(path, other, new[0]):
            continue
        for verb, operation in item.items():
            if method == "get" and verb not in ("get", "patch"):
                continue  # what a list shows is read and changed from there, not made or ended
            parameters = {name: f"$request.path.{name}" for name in asked if name in known}
            parameters[new[0]] = f"$response.body#{pointer}"
            yield (
                operation["operationId"],
                {"operationId": operation["operationId"], "parameters": parameters},
            )


def _is_of(path: str, other: str, parameter: str) -> bool:
    """Whether `other` names by `parameter` what `path` lists or makes."""
    if other.startswith(f"{path}/{{{parameter}}}"):
        return True
    kind = path.rpartition("/")[2].replace("-", "_")
    singular = kind[:-3] + "y" if kind.endswith("ies") else kind.removesuffix("s")
    return parameter == f"{singular}_id" and other.count("{") == 1
