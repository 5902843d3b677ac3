"""Changing an entity: its next state, and what differs from the one before."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Changed = dict[str, list[Any]]
"""`{field: [old, new]}`, as events carry it."""


def revise(entity: T, wanted: Mapping[str, Any]) -> tuple[T, Changed]:
    """The entity with the wanted values, and those that are new."""
    changed = {
        field: [getattr(entity, field), value]
        for field, value in wanted.items()
        if getattr(entity, field) != value
    }
    return replace(entity, **{field: new for field, (_, new) in changed.items()}), changed


def merge_fields(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Custom fields after a JSON merge patch (RFC 7396): null takes a field away."""
    return {key: value for key, value in {**old, **patch}.items() if value is not None}


def announced(changed: Changed) -> Changed:
    """What an event may say of it: that custom fields changed and which, never their values.

    Nobody declared whether those are personal, so they do not leave the service.
    """
    if "custom_fields" not in changed:
        return changed
    old, new = changed["custom_fields"]
    different = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    return {
        **changed,
        "custom_fields": [[k for k in different if k in old], [k for k in different if k in new]],
    }
