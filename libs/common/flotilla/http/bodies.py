"""What callers write and read: the bases of every service's bodies."""

from typing import Any

from pydantic import BaseModel, ConfigDict


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
