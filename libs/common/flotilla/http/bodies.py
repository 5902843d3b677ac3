"""What callers write and read: the bases of every service's bodies."""

from typing import Any

from pydantic import BaseModel, ConfigDict

BYTES = {"type": "string", "format": "binary"}
"""The schema of what is no text."""
_JSON = "application/json"


def file_answer(*kinds: str, description: str = "The file.") -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: it answers with a file of one of these media types."""
    plain = [kind.partition(";")[0] for kind in kinds]
    content = {kind: {"schema": {"type": "object"} if kind == _JSON else BYTES} for kind in plain}
    return {200: {"description": description, "content": content}}


def raw_body(kind: str = "application/octet-stream", schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """For a route's `sent`: a body of this media type that it reads by itself; bytes where no schema is given."""
    return {kind: {"schema": schema or BYTES}}


class Written(BaseModel):
    """A body: a field it does not know is a mistake, not a wish to be ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


class Patch(Written):
    """What shall be different. Only `model_fields_set` is looked at: a default stands for nothing, and is not shown."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Shown(BaseModel):
    """An answer, made of a domain object."""

    model_config = ConfigDict(from_attributes=True)
