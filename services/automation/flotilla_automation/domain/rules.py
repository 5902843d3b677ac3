"""Rules: what they wait for, under which condition, and what they do then."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.events import automation as events

from flotilla_automation.domain.actions import Action, kind_of, read_actions
from flotilla_automation.domain.conditions import Condition
from flotilla_automation.domain.fields import SCHEDULE, fields_of, triggers
from flotilla_automation.domain.reading import NOTHING, ConditionReader, Mistakes
from flotilla_automation.domain.schedules import Schedule, read_schedule
from flotilla_automation.domain.wishes import wanted_types


class RuleState(StrEnum):
    """Whether it waits for events."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"


class InvalidRuleError(ValueError):
    """It says something that no event or action can mean."""

    def __init__(self, mistakes: list[dict[str, str]]) -> None:
        super().__init__("a rule that does not fit its trigger")
        self.mistakes = mistakes
        """`[{"pointer": "/condition/all/0/field", "detail": "…"}]`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One version of a rule, read: never changed, kept as long as a run needs it."""

    trigger: str
    condition: Condition
    actions: tuple[Action, ...]
    schedule: Schedule | None = None
    """When it is due, where its trigger is a time."""

    @property
    def wants(self) -> frozenset[str]:
        """The types of events that must be heard for it."""
        return wanted_types(self.trigger, self.actions)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule in its current version."""

    id: UUID
    sequence: int = 1
    name: str
    state: RuleState = RuleState.DISABLED
    position: int
    version: int = 1
    trigger: str
    condition: dict[str, Any] | None = None
    actions: list[dict[str, Any]]
    schedule: dict[str, Any] | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def plan(self) -> Plan:
        """What it says, read."""
        return read_plan(self.trigger, self.condition, self.actions, self.schedule)

    def created(self) -> events.RuleCreated:
        """Tells that it came to be."""
        return events.RuleCreated(**self._state())

    def updated(self, changed: Mapping[str, list[Any]]) -> events.RuleUpdated:
        """Tells that it changed."""
        return events.RuleUpdated(**self._state(), changed=dict(changed))

    def _state(self) -> dict[str, Any]:
        return {
            "rule_id": self.id,
            "name": self.name,
            "state": self.state.value,
            "version": self.version,
            "position": self.position,
            "trigger": self.trigger,
            "actions": [kind_of(action) for action in self.plan.actions],
        }


PLAN_FIELDS: Final = ("trigger", "condition", "actions", "schedule")
"""A change of one of these makes a new version."""


def read_plan(
    trigger: str, condition: dict[str, Any] | None, actions: Any, schedule: dict[str, Any] | None = None
) -> Plan:
    """Read what somebody wrote; InvalidRuleError with every mistake."""
    return _read(trigger, msgspec.json.encode((condition, actions, schedule)))


@lru_cache(maxsize=4096)
def _read(trigger: str, written: bytes) -> Plan:
    mistakes = Mistakes()
    raw_condition, raw_actions, raw_schedule = msgspec.json.decode(written)
    if trigger not in triggers():
        mistakes.add("/trigger", "no such event, or one of automation's own: see GET /v1/triggers")
        raise InvalidRuleError(mistakes.found)
    fields = fields_of(trigger)
    condition: Condition = NOTHING
    if raw_condition is not None:
        condition = ConditionReader(fields, mistakes).read(raw_condition, "/condition")
    actions = read_actions(raw_actions, fields, mistakes)
    schedule = None
    if trigger == SCHEDULE:
        schedule = read_schedule(raw_schedule, mistakes)
    elif raw_schedule is not None:
        mistakes.add("/schedule", f"only a rule whose trigger is {SCHEDULE} has one")
    if mistakes.found:
        raise InvalidRuleError(mistakes.found)
    return Plan(trigger, condition, actions, schedule)
