"""The conditions of segments: a tree of and, or and not over comparisons with what is known of a contact.

    {"all": [{"field": "tags", "operator": "contains", "value": "vip"},
             {"not": {"field": "consent.marketing.email", "operator": "equals", "value": "withdrawn"}}]}

The form is that of automation's rules; these are read into SQL, those are asked of one event, so that each has its
own fields and operators. A comparison with what is not known does not hold, save `is_not_set` and `not_equals`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias, get_args
from uuid import UUID

from flotilla_crm.domain import consents

MAX_DEPTH: Final = 6
MAX_COMPARISONS: Final = 50
MAX_VALUES: Final = 100
MAX_TEXT: Final = 500


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    ID = "id"
    LIST = "list"
    MOMENT = "moment"
    CUSTOM = "custom"
    """A custom field: text, number or boolean."""


class Operator(StrEnum):
    """How a field is compared; texts whatever their case."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    IN = "in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    LESS = "less"
    AT_MOST = "at_most"
    GREATER = "greater"
    AT_LEAST = "at_least"
    BEFORE = "before"
    AFTER = "after"
    IS_SET = "is_set"
    IS_NOT_SET = "is_not_set"


SET: Final = frozenset({Operator.IS_SET, Operator.IS_NOT_SET})
_EQUAL: Final = SET | {Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN}
_TEXT: Final = _EQUAL | {Operator.CONTAINS, Operator.STARTS_WITH}
NUMERIC: Final = frozenset({Operator.LESS, Operator.AT_MOST, Operator.GREATER, Operator.AT_LEAST})
OPERATORS: Final[Mapping[Kind, frozenset[Operator]]] = {
    Kind.TEXT: _TEXT,
    Kind.ID: _EQUAL,
    Kind.LIST: SET | {Operator.CONTAINS},
    Kind.MOMENT: SET | {Operator.BEFORE, Operator.AFTER},
    Kind.CUSTOM: _TEXT | NUMERIC,
}
FIELDS: Final[Mapping[str, Kind]] = {
    "name": Kind.TEXT,
    "email": Kind.TEXT,
    "phone": Kind.TEXT,
    "language": Kind.TEXT,
    "source": Kind.TEXT,
    "tags": Kind.LIST,
    "owner_id": Kind.ID,
    "company_id": Kind.ID,
    "created_at": Kind.MOMENT,
    "company.name": Kind.TEXT,
    "company.domain": Kind.TEXT,
    "company.tags": Kind.LIST,
    "lead.status": Kind.LIST,
}
_CUSTOM: Final = re.compile(r"custom\.([a-z][a-z0-9_]{0,63})")
_CONSENT: Final = re.compile(
    rf"consent\.({'|'.join(get_args(consents.Purpose))})\.({'|'.join(get_args(consents.Channel))})"
)


@dataclass(frozen=True, slots=True)
class Compare:
    """A field, compared. `parameters`: of a custom field its name, of a consent its purpose and channel."""

    field: str
    kind: Kind
    operator: Operator
    expected: Any = None
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part at least holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition: TypeAlias = Compare | All | AnyOf | Not


class BadConditionError(ValueError):
    """What is wrong, and where."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail


def read(raw: Any, pointer: str = "/condition") -> Condition:
    """The condition of its JSON; BadConditionError where it is none."""
    return _Reader().read(raw, pointer, 0)


class _Reader:
    def __init__(self) -> None:
        self._comparisons = 0

    def read(self, raw: Any, pointer: str, depth: int) -> Condition:
        keys = set(raw) if isinstance(raw, dict) else set()
        if depth > MAX_DEPTH:
            raise BadConditionError(pointer, f"At most {MAX_DEPTH} levels.")
        if keys == {"all"}:
            return All(self._parts(raw["all"], f"{pointer}/all", depth))
        if keys == {"any"}:
            return AnyOf(self._parts(raw["any"], f"{pointer}/any", depth))
        if keys == {"not"}:
            return Not(self.read(raw["not"], f"{pointer}/not", depth + 1))
        if keys - {"value"} == {"field", "operator"}:
            return self._compare(raw, pointer)
        words = "A condition has exactly `all`, `any`, `not`, or `field`, `operator` and `value`."
        raise BadConditionError(pointer, words)

    def _parts(self, raw: Any, pointer: str, depth: int) -> tuple[Condition, ...]:
        if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_COMPARISONS:
            raise BadConditionError(pointer, f"A list of 1 to {MAX_COMPARISONS} conditions.")
        return tuple(self.read(part, f"{pointer}/{place}", depth + 1) for place, part in enumerate(raw))

    def _compare(self, raw: Mapping[str, Any], pointer: str) -> Compare:
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise BadConditionError(pointer, f"At most {MAX_COMPARISONS} comparisons.")
        field, kind, parameters = _field(raw["field"], f"{pointer}/field")
        if not isinstance(raw["operator"], str) or raw["operator"] not in set(OPERATORS[kind]):
            words = f"{field} takes: {', '.join(sorted(OPERATORS[kind]))}."
            raise BadConditionError(f"{pointer}/operator", words)
        operator = Operator(raw["operator"])
        if operator in SET:
            if "value" in raw:
                raise BadConditionError(f"{pointer}/value", f"{operator} takes no value.")
            return Compare(field, kind, operator, None, parameters)
        at = f"{pointer}/value"
        wanted = raw.get("value")
        if operator is not Operator.IN:
            return Compare(field, kind, operator, _value(kind, operator, wanted, at), parameters)
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= MAX_VALUES:
            raise BadConditionError(at, f"A list of 1 to {MAX_VALUES} values.")
        values = tuple(_value(kind, operator, each, f"{at}/{place}") for place, each in enumerate(wanted))
        if len({_type(value) for value in values}) > 1:
            raise BadConditionError(at, "Values of one type.")
        return Compare(field, kind, operator, values, parameters)


def _field(raw: Any, pointer: str) -> tuple[str, Kind, tuple[str, ...]]:
    if isinstance(raw, str):
        if raw in FIELDS:
            return raw, FIELDS[raw], ()
        if found := _CUSTOM.fullmatch(raw):
            return "custom", Kind.CUSTOM, found.groups()
        if found := _CONSENT.fullmatch(raw):
            return "consent", Kind.TEXT, found.groups()
    known = ", ".join(sorted(FIELDS))
    words = f"One of {known}, custom.<name> or consent.<purpose>.<channel>."
    raise BadConditionError(pointer, words)


def _value(kind: Kind, operator: Operator, raw: Any, pointer: str) -> Any:
    numeric = operator in NUMERIC
    if kind is Kind.CUSTOM and _type(raw) is not str:
        textual = operator in (Operator.CONTAINS, Operator.STARTS_WITH)
        if _type(raw) in (float, bool) and not textual and not (numeric and _type(raw) is bool):
            return raw
        raise BadConditionError(pointer, "A text, a number or a boolean, as the operator compares.")
    if numeric or not isinstance(raw, str) or len(raw) > MAX_TEXT or "\0" in raw:
        wanted = "A number." if numeric else f"A text of at most {MAX_TEXT} characters."
        raise BadConditionError(pointer, wanted)
    try:
        if kind is Kind.ID:
            return UUID(raw)
        if kind is Kind.MOMENT:
            return _moment(raw)
    except (ValueError, OverflowError):
        words = "An id." if kind is Kind.ID else "A time, as 2030-01-31T12:00:00Z."
        raise BadConditionError(pointer, words) from None
    return raw


def _moment(raw: str) -> datetime:
    moment = datetime.fromisoformat(raw)
    if moment.tzinfo is None:
        raise ValueError("nobody could say when that was")
    return moment.astimezone(UTC)


def _type(value: Any) -> type | None:
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float if abs(value) <= 2**53 else None
    return str if isinstance(value, str) else None
