"""Runs: one event, one version of a rule, and how far its actions have come.

A run takes one step at a time. Each step asks for something and pauses: for the owner's answer, for a call to be
taken, for a time. What comes back leads to the next step, or to the run's end.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

from flotilla.cause import Cause
from flotilla.events import automation as events
from flotilla.events.base import Event
from flotilla.events.messaging import MessageReceived, MessageSent
from flotilla.ids import derived_id

from flotilla_automation.domain.actions import CallWebhook, NoReply, Wait
from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.rules import Plan
from flotilla_automation.domain.wishes import UnfitError, needed_id, wish

REASON: Final = 300
"""Characters of a reason."""


class RunState(StrEnum):
    """Where it stands."""

    ASKING = "asking"
    CALLING = "calling"
    WAITING = "waiting"
    AWAITING_REPLY = "awaiting_reply"
    DONE = "done"
    ENDED = "ended"
    """The reply came that it waited to miss."""
    FAILED = "failed"
    STOPPED = "stopped"
    """It was not let begin: a loop or a storm."""
    SKIPPED = "skipped"
    """Its condition did not hold, though nearly."""


LIVE: Final = frozenset({RunState.ASKING, RunState.CALLING, RunState.WAITING, RunState.AWAITING_REPLY})


@dataclass(frozen=True, slots=True)
class Ask:
    """The owner is asked; the answer names the request."""

    request_id: UUID
    wish: Event


@dataclass(frozen=True, slots=True)
class Call:
    """Another program is told."""

    url: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Time passes."""

    until: datetime


Deed = Ask | Call | Pause


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run."""

    organization_id: UUID
    id: UUID
    sequence: int = 1
    rule_id: UUID
    version: int
    event_id: UUID
    event_type: str
    subject: str
    correlation_id: UUID
    depth: int = 0
    state: RunState = RunState.WAITING
    reason: str | None = None
    step: int = 0
    clock: datetime
    """What delays count from: the event's time, then the time each step was over."""
    conversation_id: UUID | None = None
    awaits: str | None = None
    """Whose reply ends it: `customer` or `team`."""
    after_position: int | None = None
    """Only messages behind this position are replies."""
    explanation: list[dict[str, Any]] = field(default_factory=list)
    event: str | None = None
    """The event as it came, as long as steps need it."""
    started_at: datetime
    ended_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether something is still to come."""
        return self.state in LIVE

    @property
    def cause(self) -> Cause:
        """What its effects go back to."""
        return Cause(
            correlation_id=self.correlation_id, causation_id=self.event_id, actor=f"rule:{self.rule_id}"
        )

    def request_id(self) -> UUID:
        """Of its present step: always the same, so that an owner asked twice sees it."""
        name = (str(self.rule_id), str(self.version), str(self.event_id), str(self.step))
        return derived_id(self.started_at, "automation", *name)

    def over(self, state: RunState, now: datetime, reason: str | None = None) -> Self:
        """It ends so."""
        short = None if reason is None else reason[:REASON]
        return replace(self, state=state, reason=short, ended_at=now, event=None, awaits=None)

    def went_on(self, clock: datetime) -> Self:
        """Its step is over: the next one may begin."""
        return replace(self, step=self.step + 1, clock=clock, awaits=None)

    def triggered(self) -> events.RuleTriggered:
        """Tells that it begins."""
        return events.RuleTriggered(**self._what(), depth=self.depth)

    def told(self) -> events.TriggerExecuted | events.TriggerFailed | None:
        """Tells of its end; nothing while it lives, or where it never began."""
        if self.state in (RunState.DONE, RunState.ENDED):
            return events.TriggerExecuted(**self._what(), outcome=self.state.value)
        if self.state in (RunState.FAILED, RunState.STOPPED):
            return events.TriggerFailed(**self._what(), step=self.step, reason=self.reason or "")
        return None

    def _what(self) -> dict[str, Any]:
        return {
            "run_id": self.id,
            "rule_id": self.rule_id,
            "version": self.version,
            "event_id": self.event_id,
            "event_type": self.event_type,
        }


def begin_step(
    run: Run, plan: Plan, event: Occurrence, *, rule: str, now: datetime
) -> tuple[Run, Deed | None]:
    """The run in its next step and what is to be done; nothing where it is over."""
    if run.step >= len(plan.actions):
        return run.over(RunState.DONE, now), None
    action = plan.actions[run.step]
    try:
        if isinstance(action, Wait):
            return replace(run, state=RunState.WAITING), Pause(run.clock + timedelta(seconds=action.seconds))
        if isinstance(action, NoReply):
            return _await_reply(run, action, event)
        if isinstance(action, CallWebhook):
            return replace(run, state=RunState.CALLING), Call(action.url)
        wished = wish(action, event, request_id=run.request_id(), rule=rule, now=now)
    except UnfitError as error:
        return run.over(RunState.FAILED, now, f"unfit: {error}"), None
    return replace(run, state=RunState.ASKING), Ask(run.request_id(), wished)


def _await_reply(run: Run, action: NoReply, event: Occurrence) -> tuple[Run, Deed]:
    conversation_id = needed_id(action.conversation_id, event)
    own = isinstance(event.data, MessageReceived | MessageSent)
    said = event.data.position if isinstance(event.data, MessageReceived | MessageSent) else None
    paused = replace(
        run,
        state=RunState.AWAITING_REPLY,
        conversation_id=conversation_id,
        awaits=action.by,
        # After a first pause, what was written before it is no reply to what came of it.
        after_position=said if own and run.step == 0 else None,
    )
    return paused, Pause(run.clock + timedelta(seconds=action.seconds))
