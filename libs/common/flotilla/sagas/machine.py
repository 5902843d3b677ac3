"""What happens to a saga: pure. Each function gives its next state and what is to be done outside.

Steps are asked for one after the other. A step that is refused, or not answered in time, ends the way
forward: what was done is undone from the last to the first, and so is the step that was not answered, for its
wish may still be granted. A success that comes late is met by its undo again. An undo that is refused, or not
answered however often it is asked for, leaves the saga `stuck` until a person decides.

A step may be skipped, where a saga has no need of it, and may be optional: then the saga goes on without it. A
saga that is no longer wanted is withdrawn, also after its end: what it did is undone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

UNDO_ATTEMPTS: Final = 5
NO_ANSWER: Final = "no answer in time"

NewId = Callable[[], UUID]


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    SKIPPED = "skipped"
    """There is nothing to ask for."""
    ASKED = "asked"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"
    STUCK = "stuck"
    KEPT = "kept"
    """It could not be undone, and a person said to leave it."""


class SagaState(StrEnum):
    """Where a saga stands; `done` and `undone` are its ends."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    STUCK = "stuck"
    DONE = "done"
    UNDONE = "undone"


class StepRun(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a running saga."""

    name: str
    undoable: bool
    optional: bool = False
    """Whether the saga goes on where it is refused or not answered."""
    state: StepState = StepState.WAITING
    request_id: UUID | None = None
    undo_request_id: UUID | None = None
    undo_attempts: int = 0
    reason: str | None = None
    late: bool = False
    """Whether it succeeded after its time was up."""
    asked_at: datetime | None = None
    answered_at: datetime | None = None


class Saga(msgspec.Struct, frozen=True, kw_only=True):
    """A running saga."""

    id: UUID
    subject_id: UUID
    """The entity it is about."""
    state: SagaState
    steps: tuple[StepRun, ...]
    reason: str | None = None
    """Why it could not be done."""


@dataclass(frozen=True)
class Ask:
    """Emit the wish of a step."""

    step: int
    request_id: UUID


@dataclass(frozen=True)
class TakeBack:
    """Emit the undo of a step."""

    step: int
    request_id: UUID
    cancels: UUID
    attempt: int


@dataclass(frozen=True)
class Over:
    """The saga has ended: `done` or `undone`."""


Effect = Ask | TakeBack | Over
Outcome = tuple[Saga, tuple[Effect, ...]]


def begin(
    saga_id: UUID, subject_id: UUID, steps: Sequence[StepRun], *, new_id: NewId, now: datetime
) -> Outcome:
    """A saga whose first step is asked for; it is done where all are skipped."""
    saga = Saga(id=saga_id, subject_id=subject_id, state=SagaState.RUNNING, steps=tuple(steps))
    return _go_on(saga, new_id, now)


def answered(
    saga: Saga, request_id: UUID, *, granted: bool, reason: str | None, new_id: NewId, now: datetime
) -> Outcome:
    """One of the two facts that answer a wish or an undo has come."""
    for index, step in enumerate(saga.steps):
        if step.request_id == request_id:
            return _wish_answered(saga, index, granted, reason, new_id, now)
        if step.undo_request_id == request_id:
            return _undo_answered(saga, index, granted, reason, new_id, now)
    return saga, ()


def overdue(saga: Saga, request_id: UUID, *, attempt: int, new_id: NewId, now: datetime) -> Outcome:
    """The time for an answer is up; where it has come meanwhile, nothing happens."""
    for index, step in enumerate(saga.steps):
        if step.request_id == request_id and step.state is StepState.ASKED:
            if step.optional:
                return _go_on(_with(saga, index, state=StepState.FAILED, reason=NO_ANSWER), new_id, now)
            failed = replace(saga, state=SagaState.COMPENSATING, reason=f"{step.name}: {NO_ANSWER}")
            if step.undoable:
                return _take_back(_with(failed, index, reason=NO_ANSWER), index, new_id())
            return _roll_back(_with(failed, index, state=StepState.FAILED, reason=NO_ANSWER), new_id)
        waiting = step.undo_request_id == request_id and step.state is StepState.UNDOING
        if waiting and step.undo_attempts == attempt:
            if attempt >= UNDO_ATTEMPTS:
                return _stick(saga, index, f"undo: {NO_ANSWER}", now)
            return _take_back(saga, index, request_id)
    return saga, ()


def retried(saga: Saga) -> Outcome:
    """A person wants the undo that is stuck to be asked for again."""
    for index, step in enumerate(saga.steps):
        if step.state is StepState.STUCK and step.undo_request_id is not None:
            again = replace(saga, state=SagaState.COMPENSATING)
            return _take_back(_with(again, index, undo_attempts=0), index, step.undo_request_id)
    return saga, ()


def left(saga: Saga, *, new_id: NewId) -> Outcome:
    """A person says that the step that is stuck stays as it is; the others are undone."""
    for index, step in enumerate(saga.steps):
        if step.state is StepState.STUCK:
            kept = _with(replace(saga, state=SagaState.COMPENSATING), index, state=StepState.KEPT)
            return _roll_back(kept, new_id)
    return saga, ()


def withdrawn(saga: Saga, reason: str, *, new_id: NewId) -> Outcome:
    """It is no longer wanted: what was done is undone, and so is what was asked for and may yet be granted."""
    if saga.state not in (SagaState.RUNNING, SagaState.DONE):
        return saga, ()
    back = replace(saga, state=SagaState.COMPENSATING, reason=reason)
    for index, step in enumerate(saga.steps):
        if step.state is StepState.ASKED and step.undoable:
            return _take_back(_with(back, index, reason=reason), index, new_id())
        if step.state is StepState.ASKED:
            back = _with(back, index, state=StepState.FAILED, reason=reason)
    return _roll_back(back, new_id)


def _wish_answered(
    saga: Saga, index: int, granted: bool, reason: str | None, new_id: NewId, now: datetime
) -> Outcome:
    step = saga.steps[index]
    if step.state is StepState.ASKED:
        if granted:
            return _go_on(_with(saga, index, state=StepState.DONE, answered_at=now), new_id, now)
        if step.optional:
            without = _with(saga, index, state=StepState.FAILED, reason=reason, answered_at=now)
            return _go_on(without, new_id, now)
        failed = replace(saga, state=SagaState.COMPENSATING, reason=f"{step.name}: {reason}")
        return _roll_back(
            _with(failed, index, state=StepState.FAILED, reason=reason, answered_at=now), new_id
        )
    if step.state is StepState.UNDOING and step.answered_at is None:
        if not granted:
            return _roll_back(_with(saga, index, state=StepState.UNDONE, answered_at=now), new_id)
        assert step.undo_request_id is not None
        return _take_back(_with(saga, index, late=True, answered_at=now), index, step.undo_request_id)
    return saga, ()


def _undo_answered(
    saga: Saga, index: int, granted: bool, reason: str | None, new_id: NewId, now: datetime
) -> Outcome:
    if saga.steps[index].state not in (StepState.UNDOING, StepState.STUCK):
        return saga, ()
    if not granted:
        return _stick(saga, index, f"undo: {reason}", now)
    going_on = replace(saga, state=SagaState.COMPENSATING)
    return _roll_back(_with(going_on, index, state=StepState.UNDONE, answered_at=now), new_id)


def _go_on(saga: Saga, new_id: NewId, now: datetime) -> Outcome:
    for index, step in enumerate(saga.steps):
        if step.state is StepState.WAITING:
            request_id = new_id()
            asked = _with(saga, index, state=StepState.ASKED, request_id=request_id, asked_at=now)
            return asked, (Ask(index, request_id),)
    return replace(saga, state=SagaState.DONE), (Over(),)


def _roll_back(saga: Saga, new_id: NewId) -> Outcome:
    for index in reversed(range(len(saga.steps))):
        step = saga.steps[index]
        if step.state is StepState.DONE and step.undoable:
            return _take_back(saga, index, new_id())
    return replace(saga, state=SagaState.UNDONE), (Over(),)


def _take_back(saga: Saga, index: int, request_id: UUID) -> Outcome:
    step = saga.steps[index]
    assert step.request_id is not None
    attempt = step.undo_attempts + 1
    undoing = _with(saga, index, state=StepState.UNDOING, undo_request_id=request_id, undo_attempts=attempt)
    return undoing, (TakeBack(index, request_id, step.request_id, attempt),)


def _stick(saga: Saga, index: int, reason: str, now: datetime) -> Outcome:
    stuck = replace(saga, state=SagaState.STUCK)
    return _with(stuck, index, state=StepState.STUCK, reason=reason, answered_at=now), ()


def _with(saga: Saga, index: int, **changes: object) -> Saga:
    steps = (*saga.steps[:index], replace(saga.steps[index], **changes), *saga.steps[index + 1 :])
    return replace(saga, steps=steps)
