"""Whose personal data an event holds: a reference like `contact:<id>`, by which keys are kept and destroyed."""

from collections.abc import Mapping
from typing import Any, Final

from flotilla.events.base import Contract

ORGANIZATION: Final = "organization"
"""The key of an organization itself: for personal data whose person cannot be told."""

_USUAL_FIELDS: Final = ("contact_id", "identity_id", "user_id")
"""Where events of a type that is not known here name the person, if they do."""

_ROLES: Final = {"agent": "user"}
"""What a field calls a person who is known by another name: whoever led a conversation is a user."""


def person_of(contract: Contract | None, fields: Mapping[str, Any]) -> str:
    """The person an event's `data` is about: the first of the contract's fields that is set, or was until now."""
    for name in contract.person if contract else _USUAL_FIELDS:
        if isinstance(value := fields.get(name) or _before(fields, name), str):
            return reference(name, value)
    return ORGANIZATION


def _before(fields: Mapping[str, Any], name: str) -> object:
    """What a deal says of a contact that it is no longer with is still that contact's."""
    match fields.get("changed"):
        case {**changed} if isinstance(pair := changed.get(name), list) and pair:
            return pair[0]
    return None


def reference(field: str, id_: object) -> str:
    """By what a person is known whom a field of this name names."""
    role = field.removesuffix("_id")
    return f"{_ROLES.get(role, role)}:{id_}"
