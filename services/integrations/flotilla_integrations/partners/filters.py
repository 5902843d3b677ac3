"""Filters: which events of its types a subscription wants."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Value: TypeAlias = str | int | bool
Filters: TypeAlias = Mapping[str, Sequence[Value]]
"""Field → values: an event is wanted where each field has one of its values, or holds one in a list."""

FIELD: Final = re.compile(r"subject|actor|correlationid|data(\.[a-z][a-z0-9_]{0,60}){1,5}")
MOST_FIELDS: Final = 10
MOST_VALUES: Final = 50
LONGEST_VALUE: Final = 200


def mistakes(filters: Filters) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it)."""
    if len(filters) > MOST_FIELDS:
        yield "", f"at most {MOST_FIELDS} fields"
    for field, values in filters.items():
        if not FIELD.fullmatch(field):
            yield field, "a field is `subject`, `actor`, `correlationid` or `data.<name>`"
        elif not 1 <= len(values) <= MOST_VALUES:
            yield field, f"1 to {MOST_VALUES} values"
        elif any(isinstance(value, str) and len(value) > LONGEST_VALUE for value in values):
            yield field, f"a value has at most {LONGEST_VALUE} characters"


def matches(filters: Filters, event: Mapping[str, Any]) -> bool:
    """Whether the event is wanted. Asked of the event as it will be delivered: who may not read a field must not
    learn its value by filtering for it."""
    return all(_has(_found(event, field), values) for field, values in filters.items())


def _found(event: Any, field: str) -> Any:
    for name in field.split("."):
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _has(found: Any, values: Sequence[Value]) -> bool:
    if isinstance(found, list):
        return any(_has(each, values) for each in found)
    return any(type(found) is type(value) and found == value for value in values)
