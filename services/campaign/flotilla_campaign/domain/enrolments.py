"""Enrolments: one person, one version of a sequence, and how far they have come."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from flotilla.events import campaign as events
from flotilla.ids import derived_id

from flotilla_campaign.domain.experiments import variant_of
from flotilla_campaign.domain.sequences import Branch, Plan, Send, Wait
from flotilla_campaign.domain.templates import render

REASON: Final = 300
"""Characters of a reason."""


class EnrolmentState(StrEnum):
    """Where it stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"


class Phase(StrEnum):
    """What its present step waits for."""

    DUE = "due"
    """Nothing: it begins at once."""
    WAIT = "wait"
    WINDOW = "window"
    ANSWER = "answer"
    """The channel's."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken, for the ledger."""

    step: int
    kind: str
    reason: str | None
    request_id: UUID | None = None
    text: str | None = None
    """What is to be sent; none where nothing is."""
    track: bool = False
    variant: str | None = None


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """One person's run through one version."""

    organization_id: UUID
    id: UUID
    sequence: int = 1
    sequence_id: UUID
    version: int
    contact_id: UUID
    conversation_id: UUID | None = None
    """Where they are written to; none until the first message has found its way."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What is known of the person, for texts and branches; forgotten at the end."""
    time_zone: str | None = None
    """The person's; without one the organization's holds."""
    state: EnrolmentState = EnrolmentState.ACTIVE
    reason: str | None = None
    step: int = 0
    phase: Phase = Phase.DUE
    due_at: datetime
    """When the phase is over, if nothing comes before."""
    replied_at: datetime | None = None
    opened_at: datetime | None = None
    clicked_at: datetime | None = None
    started_at: datetime
    ended_at: datetime | None = None
    campaign_id: UUID | None = None

    @property
    def live(self) -> bool:
        """Whether something is still to come."""
        return self.ended_at is None

    def of_version(self) -> tuple[UUID, UUID, int]:
        """Organization, sequence and version: what it goes by."""
        return self.organization_id, self.sequence_id, self.version

    def request_id(self) -> UUID:
        """Of its present step: always the same, so that whoever is asked twice sees it."""
        return derived_id(self.started_at, "campaign", str(self.id), str(self.step))

    def over(self, state: EnrolmentState, now: datetime, reason: str | None = None) -> Self:
        """It ends so."""
        short = None if reason is None else reason[:REASON]
        return replace(self, state=state, reason=short, ended_at=now, fields={})

    def stopped(self, now: datetime, reason: str) -> Self:
        """It goes no further."""
        return self.over(EnrolmentState.STOPPED, now, reason)

    def went_on(self, now: datetime) -> Self:
        """Its step is over: the next one may begin."""
        return replace(self, step=self.step + 1, phase=Phase.DUE, due_at=now)

    def told(self) -> events.SequenceFinished | events.SequenceStopped | None:
        """Tells of its end; nothing while it lives."""
        if self.state is EnrolmentState.FINISHED:
            return events.SequenceFinished(**self.what())
        if self.state is EnrolmentState.STOPPED:
            return events.SequenceStopped(**self.what(), step=self.step, reason=self.reason or "")
        return None

    def what(self) -> dict[str, Any]:
        """As every event of it says."""
        names = ("sequence_id", "version", "contact_id", "conversation_id", "campaign_id")
        return {"enrolment_id": self.id, **{name: getattr(self, name) for name in names}}


UNSUBSCRIBE_LINK: Final = "unsubscribe_link"
"""The place in a text where the link stands with which they want no more."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a step is taken in."""

    now: datetime
    zone: ZoneInfo
    unsubscribe_link: Callable[[UUID], str] = lambda _: ""
    """Of a message."""
    winners: Mapping[int, str] = field(default_factory=dict)
    """The best text of steps where that is known."""


def begin_step(enrolment: Enrolment, plan: Plan, around: Surroundings) -> tuple[Enrolment, list[Taken]]:
    """Take branches, up to the step that pauses it or to its end: how it stands then, and the steps taken."""
    taken: list[Taken] = []
    while enrolment.step < len(plan.steps):
        step = plan.steps[enrolment.step]
        if isinstance(step, Branch):
            target, why = _lead(step, enrolment)
            taken.append(Taken(enrolment.step, "branch", why))
            enrolment = replace(enrolment, step=target)
        elif isinstance(step, Wait):
            until = around.now + step.length
            taken.append(Taken(enrolment.step, "wait", f"until {until.isoformat(timespec='seconds')}"))
            return replace(enrolment, phase=Phase.WAIT, due_at=until), taken
        else:
            return _send(enrolment, step, around, taken)
    return enrolment.over(EnrolmentState.FINISHED, around.now), taken


def _send(
    enrolment: Enrolment, step: Send, around: Surroundings, taken: list[Taken]
) -> tuple[Enrolment, list[Taken]]:
    now = around.now
    opens = now if step.window is None else step.window.next_open(now, around.zone)
    if opens > now:
        return replace(enrolment, phase=Phase.WINDOW, due_at=opens), taken
    request_id = enrolment.request_id()
    places = {**enrolment.fields, UNSUBSCRIBE_LINK: around.unsubscribe_link(request_id)}
    variant = None
    if step.variants:
        count = 1 + len(step.variants)
        variant = around.winners.get(enrolment.step) or variant_of(enrolment.id, enrolment.step, count)
    text = render(step.text_of(variant), places)
    if not text:
        return enrolment.stopped(now, "empty"), taken
    taken.append(Taken(enrolment.step, "send", None, request_id, text, step.track, variant))
    return replace(enrolment, phase=Phase.ANSWER), taken


def _lead(step: Branch, enrolment: Enrolment) -> tuple[int, str]:
    if step.on == "field":
        # What the field held stays out of the ledger: it is the person's.
        holds, why = enrolment.fields.get(step.field or "", "") == step.equals, f"{step.field} equals"
    else:
        holds, why = getattr(enrolment, f"{step.on}_at") is not None, step.on
    target = step.then if holds else step.otherwise
    return target, f"{why}: {'yes' if holds else 'no'}, on to {target}"
