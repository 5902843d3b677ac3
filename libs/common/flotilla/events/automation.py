"""Events of automation: rules, and what came of each time one was triggered."""

from functools import partial
from uuid import UUID

from flotilla.events.base import Event, Moment, event

_event = partial(event, owner="automation")


class Rule(Event, frozen=True, kw_only=True):
    """The state of a rule."""

    rule_id: UUID
    name: str
    state: str
    """`enabled`, `disabled` or `deleted`."""
    version: int
    """Counts the changes of what it waits for, of its condition and of its actions; runs keep theirs."""
    position: int
    """Rules that one event triggers begin in this order."""
    trigger: str
    """The type of event that it waits for."""
    actions: list[str]
    """The kinds of its actions, in their order."""


@_event("automation.rule.created.v1", subject="rule_id")
class RuleCreated(Rule, frozen=True, kw_only=True):
    """There is a rule more."""


@_event("automation.rule.updated.v1", subject="rule_id")
class RuleUpdated(Rule, frozen=True, kw_only=True):
    """It was changed, enabled, disabled or deleted."""


@_event("schedule.due.v1", subject="rule_id")
class ScheduleDue(Event, frozen=True, kw_only=True):
    """A time came that a rule waits for."""

    rule_id: UUID
    due_at: Moment
    time_zone: str
    missed: int
    """How many times before it came while no automation was running; the rule runs once for all."""


class Run(Event, frozen=True, kw_only=True):
    """One time that an event triggered a rule: /v1/runs/{run_id} explains it."""

    run_id: UUID
    rule_id: UUID
    version: int
    event_id: UUID
    event_type: str


@_event("automation.rule.triggered.v1", subject="run_id")
class RuleTriggered(Run, frozen=True, kw_only=True):
    """Its condition held, and its actions begin."""

    depth: int
    """How many runs of rules stand between this one and what no rule caused."""


@_event("trigger.executed.v1", subject="run_id")
class TriggerExecuted(Run, frozen=True, kw_only=True):
    """Its actions are done, or need no more be."""

    outcome: str
    """`done`, or `ended`: the reply came that it waited to miss."""


@_event("trigger.failed.v1", subject="run_id")
class TriggerFailed(Run, frozen=True, kw_only=True):
    """It went no further; what it did before stands."""

    step: int
    """The action it stopped at, from 0."""
    reason: str
    """`loop`, `storm`, `limit` of the plan, `unanswered`, `unfit: <why>`, `refused: <why>` or `webhook: <why>`."""
