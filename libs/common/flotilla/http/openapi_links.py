"""Links: what can be done next with what an answer tells of (OpenAPI 3.1, section 4.8.20).

They follow from the paths: what `POST /v1/ships` answers with an `id` is read at `/v1/ships/{ship_id}`, and has its
crew at `/v1/ships/{ship_id}/crew`; so has the first of those that `GET /v1/ships` lists. What was read with an `ETag`
is changed with that as `If-Match`. Nothing is declared by hand.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from flotilla.security.permissions import SCOPED

Paths = Mapping[str, Mapping[str, dict[str, Any]]]
Fields = Mapping[str, Any]

_PARAMETER: Final = re.compile(r"\{([^}]+)\}")
_MADE: Final = {"200", "201", "202"}
_FIRST: Final = "/items/0"
"""Where the first of a page stands."""
_IF_MATCH: Final = {"$ref": "#/components/parameters/If-Match"}


def link(paths: Paths, schemas: Mapping[str, Any]) -> None:
    """Put links into the answers of `paths`, in place."""
    for path, item in paths.items():
        for method in item.keys() & {"get", "post"}:
            answers = item[method]["responses"]
            for status in answers.keys() & _MADE:
                if links := dict(sorted(_links(paths, path, method, answers[status], schemas))):
                    answers[status]["links"] = links


def _links(
    paths: Paths, path: str, method: str, answer: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    place, fields = _told(answer, schemas)
    if method == "post" or place == _FIRST:
        yield from _to_the_thing(paths, path, method, place, fields)
    elif "ETag" in answer.get("headers", {}):
        same = {name: f"$request.path.{name}" for name in _PARAMETER.findall(path)}
        for operation in paths[path].values():
            if _IF_MATCH in operation.get("parameters", ()):
                yield _link(operation, {**same, "If-Match": "$response.header.ETag"})


def _told(answer: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[str, Fields]:
    """Where in the answer a thing stands, and its fields: the first of a page, or the answer itself."""
    fields = _fields(answer.get("content", {}).get("application/json", {}).get("schema", {}), schemas)
    if "items" in fields and "id" not in fields:
        return _FIRST, _fields(fields["items"].get("items", {}), schemas)
    return "", fields


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Fields:
    named: Mapping[str, Any] = schemas.get(schema.get("$ref", "").rpartition("/")[2], {})
    found: Fields = named.get("properties", {})
    return found


def _to_the_thing(
    paths: Paths, path: str, method: str, place: str, fields: Fields
) -> Iterator[tuple[str, dict[str, Any]]]:
    """To all that is under the thing; where nothing is, and it has a path of its own elsewhere, there."""
    known = _PARAMETER.findall(path)
    under, elsewhere = [], []
    for other, item in paths.items():
        new = [name for name in _PARAMETER.findall(other) if name not in known]
        if len(new) == 1 and other.startswith(f"{path}/{{{new[0]}}}"):
            field = new[0] if new[0] in fields else "id"
            under += [(other, new[0], field, operation) for operation in item.values() if field in fields]
        elif len(new) == 1 and "id" in fields and _is_of(path, other, new[0]):
            kin = [each for each in item.values() if _resource(each) == _resource(paths[path][method])]
            elsewhere += [(other, new[0], "id", operation) for operation in kin]
    for other, parameter, field, operation in under or elsewhere:
        asked = {name: f"$request.path.{name}" for name in _PARAMETER.findall(other) if name in known}
        yield _link(operation, {**asked, parameter: f"$response.body#{place}/{field}"})


def _is_of(path: str, other: str, parameter: str) -> bool:
    """Whether `other`, elsewhere, names by `parameter` what `path` lists or makes."""
    kind = path.rpartition("/")[2].replace("-", "_")
    singular = kind[:-3] + "y" if kind.endswith("ies") else kind.removesuffix("s")
    return parameter == f"{singular}_id" and other.count("{") == 1


def _resource(operation: Mapping[str, Any]) -> str:
    """What its permission is about."""
    permission: str = operation["x-permission"]
    return SCOPED.get(permission, permission.partition(":")[0])


def _link(operation: Mapping[str, Any], parameters: dict[str, str]) -> tuple[str, dict[str, Any]]:
    name: str = operation["operationId"]
    return name, {"operationId": name, "parameters": parameters}
