"""Random instances of event structs, for property tests."""

import types
from datetime import UTC, date, datetime
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from hypothesis import strategies as st

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=40),
    int: st.integers(min_value=0, max_value=2**53),
    float: st.floats(min_value=0, max_value=1),
    bool: st.booleans(),
    UUID: st.uuids(),
    datetime: st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    date: st.dates(),
    Any: st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=10),
    type(None): st.none(),
}


def instances(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, structs included."""
    if hint in SCALARS:
        return SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        fields = get_type_hints(hint, include_extras=True)
        return st.builds(hint, **{name: instances(field) for name, field in fields.items()})
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        shortest = max(
            (each.min_length or 0 for each in arguments[1:] if isinstance(each, msgspec.Meta)), default=0
        )
        return st.text(min_size=shortest, max_size=40) if shortest else instances(arguments[0])
    if origin in (Union, types.UnionType):
        return st.one_of([instances(part) for part in arguments])
    if origin is list:
        return st.lists(instances(arguments[0]), max_size=3)
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(instances(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(instances(arguments[0]), instances(arguments[1]), max_size=3)
    raise TypeError(f"no instances of {hint}: add its kind to {__name__}")
