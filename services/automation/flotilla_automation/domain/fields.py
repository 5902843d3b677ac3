"""What a rule may look at in an event: the fields of its contract and of the envelope, each with its kind.

`data.<field>`, nested as `data.value.currency`; `envelope.<attribute>`; `changed.<field>` for what the event says
has changed. Derived from the contract's struct, so that a rule can name nothing that isn't there.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from flotilla.events import CONTRACTS
from flotilla.events.base import Envelope, Event
from msgspec import inspect

OWN: Final = "automation"
SCHEDULE: Final = "schedule.due.v1"
"""The trigger of rules that wait for a time: each for its own, which is told of when it comes."""


class Kind(StrEnum):
    """What a value is, and so how it may be compared."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    MOMENT = "moment"
    DATE = "date"
    ID = "id"
    LIST = "list"
    """Of texts or ids."""
    OBJECT = "object"
    """Of which only its parts, and that it changed, can be looked at."""


KINDS: Final[Mapping[type[inspect.Type], Kind]] = {
    inspect.StrType: Kind.TEXT,
    inspect.IntType: Kind.NUMBER,
    inspect.FloatType: Kind.NUMBER,
    inspect.BoolType: Kind.BOOLEAN,
    inspect.DateTimeType: Kind.MOMENT,
    inspect.DateType: Kind.DATE,
    inspect.UUIDType: Kind.ID,
    inspect.ListType: Kind.LIST,
    inspect.StructType: Kind.OBJECT,
}
ENVELOPE: Final[Mapping[str, Kind]] = {
    "actor": Kind.TEXT,
    "audience": Kind.TEXT,
    "correlationid": Kind.ID,
    "region": Kind.TEXT,
    "source": Kind.TEXT,
    "subject": Kind.TEXT,
    "time": Kind.MOMENT,
}
READ_AS: Final[Mapping[Kind, Any]] = {
    Kind.TEXT: str,
    Kind.NUMBER: int | float,
    Kind.BOOLEAN: bool,
    Kind.MOMENT: Annotated[datetime, msgspec.Meta(tz=True)],
    Kind.DATE: date,
    Kind.ID: UUID,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing in an event that a rule may look at."""

    path: str
    kind: Kind
    personal: bool = False

    @property
    def of_change(self) -> bool:
        """Whether it is about a change and not about a value."""
        return self.path.startswith("changed.")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event that rules look at: its envelope, and its data decoded by its contract."""

    envelope: Envelope
    data: Event

    def value(self, path: str) -> Any:
        """What stands there; null where anything on the way is."""
        first, *rest = path.split(".")
        found: Any = self.envelope if first == "envelope" else self.data
        for name in rest:
            found = getattr(found, name, None)
        return found

    def change(self, path: str) -> tuple[Any, Any] | None:
        """Old and new value of `changed.<field>`, as JSON has them; none where it has not changed."""
        pair = self.data.changed.get(path.removeprefix("changed."))
        return (pair[0], pair[1]) if pair is not None and len(pair) == 2 else None


def triggers() -> list[str]:
    """The types a rule may wait for: all but automation's own, which would feed on themselves; and its times."""
    others = (
        type_ for type_, contract in CONTRACTS.items() if contract.owner != OWN and not contract.transient
    )
    return sorted((*others, SCHEDULE))


@cache
def fields_of(type_: str) -> Mapping[str, Field]:
    """The fields of a type of event by path; KeyError for a type that has no contract."""
    top = inspect.type_info(CONTRACTS[type_].data)
    assert isinstance(top, inspect.StructType)
    found = list(_fields_in(top, "data", personal=False))
    changes = [
        Field(f"changed.{field.name}", kind, personal)
        for field in top.fields
        if field.name != "changed" and (kind := _plain(field.type)[1])
        for personal in [_plain(field.type)[2]]
    ]
    envelope = [Field(f"envelope.{name}", kind) for name, kind in ENVELOPE.items()]
    return {field.path: field for field in (*found, *changes, *envelope)}


def read(kind: Kind, raw: Any) -> Any:
    """A JSON value as this kind of value; ValueError where it is none."""
    if kind is Kind.NUMBER and (isinstance(raw, bool) or (isinstance(raw, float) and not math.isfinite(raw))):
        raise ValueError(f"this field holds {WORDS[kind]}")
    try:
        return msgspec.convert(raw, READ_AS[kind])
    except msgspec.ValidationError:
        raise ValueError(f"this field holds {WORDS[kind]}") from None


WORDS: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "a text",
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.MOMENT: "a moment, RFC 3339 with its offset",
    Kind.DATE: "a date, YYYY-MM-DD",
    Kind.ID: "an id (a UUID)",
}


def _fields_in(struct: inspect.StructType, above: str, *, personal: bool) -> Iterator[Field]:
    for field in struct.fields:
        plain, kind, own = _plain(field.type)
        path = f"{above}.{field.name}"
        if isinstance(plain, inspect.StructType):
            yield from _fields_in(plain, path, personal=personal or own)
        elif kind is not None:
            yield Field(path, kind, personal or own)


def _plain(type_: inspect.Type) -> tuple[inspect.Type, Kind | None, bool]:
    """Without null and marks: the type, its kind where a rule can look at it, and whether it is personal."""
    personal = False
    if isinstance(type_, inspect.Metadata):
        personal = bool((type_.extra_json_schema or {}).get("x-personal-data"))
        if (type_.extra_json_schema or {}).get("x-internal"):
            return type_, None, personal
        type_ = type_.type
    if isinstance(type_, inspect.UnionType):
        real = [each for each in type_.types if not isinstance(each, inspect.NoneType)]
        if len(real) != 1:
            return type_, None, personal
        inner, kind, also = _plain(real[0])
        return inner, kind, personal or also
    if isinstance(type_, inspect.ListType) and not isinstance(
        type_.item_type, inspect.StrType | inspect.UUIDType
    ):
        return type_, None, personal
    return type_, KINDS.get(type(type_)), personal
