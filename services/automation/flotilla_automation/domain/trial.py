"""Trying a plan on an event: what would be asked for, with nothing done."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from flotilla_automation.domain.actions import Action, CallWebhook, NoReply, Wait, kind_of
from flotilla_automation.domain.conditions import Evaluation, evaluate
from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.rules import Plan
from flotilla_automation.domain.wishes import UnfitError, needed_id, wish

NO_REQUEST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a plan makes of an event."""

    evaluation: Evaluation
    actions: list[dict[str, Any]]
    """What each action would come to, with the places filled in; up to one that the event doesn't fit."""

    def shown(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "matched": self.evaluation.holds,
            "nearly": self.evaluation.nearly,
            "conditions": [asdict(finding) for finding in self.evaluation.findings],
            "actions": self.actions,
        }


def attempt(plan: Plan, event: Occurrence, now: datetime) -> Trial:
    """Look at the event, and sketch the actions where the condition holds."""
    evaluation = evaluate(plan.condition, event)
    sketches: list[dict[str, Any]] = []
    for action in plan.actions if evaluation.holds else ():
        try:
            sketches.append({"type": kind_of(action), **_sketch(action, event, now)})
        except UnfitError as error:
            sketches.append({"type": kind_of(action), "unfit": str(error)})
            break
    return Trial(evaluation, sketches)


def _sketch(action: Action, event: Occurrence, now: datetime) -> dict[str, Any]:
    if isinstance(action, NoReply):
        conversation_id = needed_id(action.conversation_id, event)
        return {"seconds": action.seconds, "by": action.by, "conversation_id": str(conversation_id)}
    if isinstance(action, Wait | CallWebhook):
        return {name: getattr(action, name) for name in action.__struct_fields__}
    asked: dict[str, Any] = msgspec.to_builtins(wish(action, event, request_id=NO_REQUEST, rule="", now=now))
    return {
        name: value
        for name, value in asked.items()
        if name not in ("changed", "request_id", "notification_id")
    }
