"""Conditions: a tree of and, or and not over comparisons, and why it holds or doesn't.

Every function here answers for any event: a comparison with a value that is null does not hold, save `is_not_set`
and `not_equals`, which is exactly the opposite of `equals`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

from flotilla_automation.domain.fields import Field, Kind, Occurrence, read

SHOWN: Final = 200
"""Characters of a text that an explanation shows."""


class Operator(StrEnum):
    """How a field is compared."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    IN = "in"
    CONTAINS = "contains"
    """A text, whatever its case; of a list, one of its members."""
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    LESS = "less"
    AT_MOST = "at_most"
    GREATER = "greater"
    AT_LEAST = "at_least"
    BEFORE = "before"
    AFTER = "after"
    IS_SET = "is_set"
    IS_NOT_SET = "is_not_set"
    CHANGED = "changed"
    CHANGED_FROM = "changed_from"
    CHANGED_TO = "changed_to"


ALONE: Final = frozenset({Operator.IS_SET, Operator.IS_NOT_SET, Operator.CHANGED})
"""Need no value."""
_SET: Final = frozenset({Operator.IS_SET, Operator.IS_NOT_SET})
_EQUAL: Final = frozenset({Operator.EQUALS, Operator.NOT_EQUALS, Operator.IN}) | _SET
OPERATORS: Final[Mapping[Kind, frozenset[Operator]]] = {
    Kind.TEXT: _EQUAL | {Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH},
    Kind.NUMBER: _EQUAL | {Operator.LESS, Operator.AT_MOST, Operator.GREATER, Operator.AT_LEAST},
    Kind.BOOLEAN: _SET | {Operator.EQUALS, Operator.NOT_EQUALS},
    Kind.MOMENT: _SET | {Operator.BEFORE, Operator.AFTER},
    Kind.DATE: _EQUAL | {Operator.BEFORE, Operator.AFTER},
    Kind.ID: _EQUAL,
    Kind.LIST: _SET | {Operator.CONTAINS},
    Kind.OBJECT: frozenset(),
}


def operators_of(field: Field) -> frozenset[Operator]:
    """How this field may be compared."""
    if not field.of_change:
        return OPERATORS[field.kind]
    if field.kind in (Kind.OBJECT, Kind.LIST):
        return frozenset({Operator.CHANGED})
    return frozenset({Operator.CHANGED, Operator.CHANGED_FROM, Operator.CHANGED_TO})


@dataclass(frozen=True, slots=True)
class Compare:
    """A field, compared."""

    pointer: str
    field: Field
    operator: Operator
    expected: Any = None
    """Read as the field's kind; a tuple for `in`."""


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; with none, it holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 - `Any` is the typing module's
    """One part at least holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition: TypeAlias = Compare | All | Any_ | Not


@dataclass(frozen=True, slots=True)
class Finding:
    """What one comparison came to."""

    pointer: str
    """Into the rule: `/condition/all/0`."""
    field: str
    operator: str
    expected: Any
    actual: Any
    """As it stood in the event; null as well where it is personal: explanations outlive erasure."""
    personal: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Whether a condition holds, how far it is from holding, and what each comparison came to."""

    holds: bool
    distance: int
    """The fewest comparisons that would have had to come out otherwise; 0 where it holds."""
    findings: tuple[Finding, ...]

    @property
    def nearly(self) -> bool:
        """Whether one comparison alone stood in the way."""
        return self.distance == 1


def evaluate(condition: Condition, event: Occurrence) -> Evaluation:
    """Look at an event."""
    findings: list[Finding] = []
    to_hold, _ = _weigh(condition, event, findings)
    return Evaluation(to_hold == 0, int(min(to_hold, NEVER)), tuple(findings))


NEVER: Final = 10_000
"""So many comparisons no condition has: it cannot come to hold."""


def _weigh(condition: Condition, event: Occurrence, findings: list[Finding]) -> tuple[int, int]:
    """How many comparisons it would take for it to hold, and for it not to; one of the two is 0."""
    if isinstance(condition, Compare):
        finding = _compare(condition, event)
        findings.append(finding)
        return (0, 1) if finding.holds else (1, 0)
    if isinstance(condition, Not):
        to_hold, to_fail = _weigh(condition.part, event, findings)
        return to_fail, to_hold
    weights = [_weigh(part, event, findings) for part in condition.parts]
    holds, fails = [each[0] for each in weights], [each[1] for each in weights]
    if isinstance(condition, All):
        return min(sum(holds), NEVER), min(fails, default=NEVER)
    return min(holds, default=NEVER), min(sum(fails), NEVER)


def _compare(compare: Compare, event: Occurrence) -> Finding:
    field = compare.field
    if field.of_change:
        pair = event.change(field.path)
        actual: Any = None if pair is None else list(pair)
        holds = pair is not None and _changed(compare, *pair)
    else:
        actual = event.value(field.path)
        holds = _HOLDS[compare.operator](actual, compare.expected)
    expected = None if compare.operator in ALONE else compare.expected
    shown = None if field.personal else _shown(actual)
    return Finding(
        compare.pointer, field.path, compare.operator.value, _shown(expected), shown, field.personal, holds
    )


def _changed(compare: Compare, old: Any, new: Any) -> bool:
    if compare.operator is Operator.CHANGED:
        return True
    raw = old if compare.operator is Operator.CHANGED_FROM else new
    try:
        return bool(read(compare.field.kind, raw) == compare.expected)
    except ValueError:
        return False


def _text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, wanted: isinstance(actual, str) and test(actual.casefold(), wanted.casefold())


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, wanted: actual is not None and test(actual, wanted)


def _contains(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, str):
        return str(wanted).casefold() in actual.casefold()
    return actual is not None and wanted in [str(each) for each in actual]


_HOLDS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUALS: lambda actual, wanted: actual is not None and actual == wanted,
    Operator.NOT_EQUALS: lambda actual, wanted: actual is None or actual != wanted,
    Operator.IN: lambda actual, wanted: actual in wanted,
    Operator.CONTAINS: _contains,
    Operator.STARTS_WITH: _text(str.startswith),
    Operator.ENDS_WITH: _text(str.endswith),
    Operator.LESS: _ordered(lambda actual, wanted: actual < wanted),
    Operator.AT_MOST: _ordered(lambda actual, wanted: actual <= wanted),
    Operator.GREATER: _ordered(lambda actual, wanted: actual > wanted),
    Operator.AT_LEAST: _ordered(lambda actual, wanted: actual >= wanted),
    Operator.BEFORE: _ordered(lambda actual, wanted: actual < wanted),
    Operator.AFTER: _ordered(lambda actual, wanted: actual > wanted),
    Operator.IS_SET: lambda actual, _: actual is not None,
    Operator.IS_NOT_SET: lambda actual, _: actual is None,
}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")[:SHOWN]
    if isinstance(value, UUID | datetime | date):
        return str(value) if isinstance(value, UUID) else value.isoformat()
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value[:20]]
    return value
