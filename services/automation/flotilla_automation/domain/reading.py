"""Reading a condition as it was written, against the event it shall look at; every mistake with its pointer.

{"all": [{"field": "data.channel", "operator": "equals", "value": "telegram"},
         {"any": [{"field": "data.text", "operator": "contains", "value": "refund"},
                  {"not": {"field": "data.contact_id", "operator": "is_set"}}]}]}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flotilla_automation.domain.conditions import (
    ALONE,
    All,
    Any_,
    Compare,
    Condition,
    Not,
    Operator,
    operators_of,
)
from flotilla_automation.domain.fields import Field, Kind, read

MAX_DEPTH: Final = 8
MAX_COMPARISONS: Final = 100
MAX_CHOICES: Final = 200
MAX_TEXT: Final = 1000
NOTHING: Final = All(())
"""The condition that always holds."""


@dataclass
class Mistakes:
    """What does not fit in what somebody wrote: pointer and words."""

    found: list[dict[str, str]] = field(default_factory=list)

    def add(self, pointer: str, detail: str) -> None:
        """Note one."""
        self.found.append({"pointer": pointer, "detail": detail})


class ConditionReader:
    """Reads conditions over one type of event."""

    def __init__(self, fields: Mapping[str, Field], mistakes: Mistakes) -> None:
        self._fields = fields
        self._mistakes = mistakes
        self._comparisons = 0

    def read(self, raw: Any, pointer: str, depth: int = 1) -> Condition:
        """The condition; where it has mistakes they are noted, and what is returned is of no use."""
        if not isinstance(raw, dict):
            return self._wrong(pointer, "a condition is an object")
        if depth > MAX_DEPTH:
            return self._wrong(pointer, f"conditions go at most {MAX_DEPTH} deep")
        keys = frozenset(raw)
        if keys == {"all"}:
            return All(self._parts(raw["all"], f"{pointer}/all", depth))
        if keys == {"any"}:
            return Any_(self._parts(raw["any"], f"{pointer}/any", depth))
        if keys == {"not"}:
            return Not(self.read(raw["not"], f"{pointer}/not", depth + 1))
        if keys - {"value"} == {"field", "operator"}:
            return self._compare(raw, pointer)
        return self._wrong(
            pointer, "a condition has exactly `all`, `any`, `not`, or `field`, `operator` and `value`"
        )

    def _parts(self, raw: Any, pointer: str, depth: int) -> tuple[Condition, ...]:
        if not isinstance(raw, list) or not raw:
            self._mistakes.add(pointer, "a list of at least one condition")
            return ()
        if len(raw) > MAX_COMPARISONS:
            self._mistakes.add(pointer, f"at most {MAX_COMPARISONS} conditions")
            return ()
        return tuple(self.read(part, f"{pointer}/{index}", depth + 1) for index, part in enumerate(raw))

    def _compare(self, raw: dict[str, Any], pointer: str) -> Condition:
        self._comparisons += 1
        if self._comparisons == MAX_COMPARISONS + 1:
            return self._wrong(pointer, f"at most {MAX_COMPARISONS} comparisons")
        known = self._fields.get(raw["field"]) if isinstance(raw["field"], str) else None
        if known is None:
            return self._wrong(f"{pointer}/field", "the event has no such field to compare")
        allowed = operators_of(known)
        if not isinstance(raw["operator"], str) or raw["operator"] not in allowed:
            words = ", ".join(sorted(allowed)) or "none"
            return self._wrong(f"{pointer}/operator", f"{known.path} holds {known.kind}; operators: {words}")
        operator = Operator(raw["operator"])
        if operator in ALONE:
            if raw.get("value") is not None:
                self._mistakes.add(f"{pointer}/value", f"{operator} takes no value")
            return Compare(pointer, known, operator)
        if "value" not in raw:
            return self._wrong(pointer, f"{operator} needs a `value`")
        return Compare(pointer, known, operator, self._expected(known, operator, raw["value"], pointer))

    def _expected(self, known: Field, operator: Operator, raw: Any, pointer: str) -> Any:
        pointer = f"{pointer}/value"
        kind = Kind.TEXT if known.kind is Kind.LIST else known.kind
        if operator is not Operator.IN:
            return self._value(kind, raw, pointer)
        if not isinstance(raw, list) or not 0 < len(raw) <= MAX_CHOICES:
            self._mistakes.add(pointer, f"`in` needs a list of 1 to {MAX_CHOICES} values")
            return ()
        return tuple(self._value(kind, each, f"{pointer}/{index}") for index, each in enumerate(raw))

    def _value(self, kind: Kind, raw: Any, pointer: str) -> Any:
        try:
            value = read(kind, raw)
        except ValueError as error:
            self._mistakes.add(pointer, str(error))
            return None
        if isinstance(value, str) and (len(value) > MAX_TEXT or "\x00" in value):
            self._mistakes.add(pointer, f"at most {MAX_TEXT} characters, none of them U+0000")
        return value

    def _wrong(self, pointer: str, detail: str) -> Condition:
        self._mistakes.add(pointer, detail)
        return NOTHING
