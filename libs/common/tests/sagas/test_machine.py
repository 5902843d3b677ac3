"""What may happen to a saga, without servers: forward, back, late, stuck."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import pytest
from flotilla.sagas import machine
from flotilla.sagas.machine import Ask, Over, Saga, SagaState, StepRun, StepState, TakeBack
from msgspec.structs import replace

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
STEPS = (
    StepRun(name="invoice", undoable=True),
    StepRun(name="task", undoable=True),
    StepRun(name="hand over", undoable=False),
)
TELL = StepRun(name="tell", undoable=False)
_ids: Iterator[int] = count(1)


def new_id() -> UUID:
    return UUID(int=next(_ids))


def begun() -> tuple[Saga, UUID]:
    saga, effects = machine.begin(new_id(), new_id(), STEPS, new_id=new_id, now=NOW)
    return saga, _asked(effects, 0)


def answer(saga: Saga, request_id: UUID, granted: bool, reason: str = "no") -> machine.Outcome:
    return machine.answered(
        saga, request_id, granted=granted, reason=None if granted else reason, new_id=new_id, now=NOW
    )


def too_late(saga: Saga, request_id: UUID, attempt: int = 1) -> machine.Outcome:
    return machine.overdue(saga, request_id, attempt=attempt, new_id=new_id, now=NOW)


def states(saga: Saga) -> list[str]:
    return [step.state.value for step in saga.steps]


def _asked(effects: tuple[machine.Effect, ...], step: int) -> UUID:
    (effect,) = effects
    assert isinstance(effect, Ask)
    assert effect.step == step
    return effect.request_id


def _taken_back(effects: tuple[machine.Effect, ...], step: int) -> TakeBack:
    (effect,) = effects
    assert isinstance(effect, TakeBack)
    assert effect.step == step
    return effect


def test_steps_are_asked_for_one_after_the_other() -> None:
    saga, request = begun()
    assert states(saga) == ["asked", "waiting", "waiting"]
    for step in (1, 2):
        saga, effects = answer(saga, request, True)
        request = _asked(effects, step)
    saga, effects = answer(saga, request, True)
    assert (saga.state, effects) == (SagaState.DONE, (Over(),))
    assert states(saga) == ["done", "done", "done"]


def test_a_refusal_undoes_what_was_done_from_the_last_to_the_first() -> None:
    saga, invoice = begun()
    saga, effects = answer(saga, invoice, True)
    task = _asked(effects, 1)
    saga, effects = answer(saga, task, True)
    saga, effects = answer(saga, _asked(effects, 2), False, "nobody there")
    assert (saga.state, saga.reason) == (SagaState.COMPENSATING, "hand over: nobody there")
    undo = _taken_back(effects, 1)
    assert undo.cancels == task
    saga, effects = answer(saga, undo.request_id, True)
    undo = _taken_back(effects, 0)
    assert undo.cancels == invoice
    saga, effects = answer(saga, undo.request_id, True)
    assert (saga.state, effects) == (SagaState.UNDONE, (Over(),))
    assert states(saga) == ["undone", "undone", "failed"]


def test_a_refusal_of_the_first_step_ends_it_at_once() -> None:
    saga, request = begun()
    saga, effects = answer(saga, request, False)
    assert (saga.state, effects) == (SagaState.UNDONE, (Over(),))


@pytest.mark.parametrize("granted", [True, False])
def test_an_answer_that_comes_again_changes_nothing(granted: bool) -> None:
    saga, request = begun()
    once, _ = answer(saga, request, granted)
    for again in (True, False):
        assert answer(once, request, again) == (once, ())


def test_an_answer_to_nobody_changes_nothing() -> None:
    saga, _ = begun()
    assert answer(saga, new_id(), True) == (saga, ())
    assert too_late(saga, new_id()) == (saga, ())


def test_a_step_that_is_not_answered_is_taken_back_though_it_may_not_be_done() -> None:
    saga, request = begun()
    saga, effects = too_late(saga, request)
    undo = _taken_back(effects, 0)
    assert (saga.state, undo.cancels) == (SagaState.COMPENSATING, request)
    saga, effects = answer(saga, undo.request_id, True)
    assert (saga.state, effects) == (SagaState.UNDONE, (Over(),))


def test_a_success_that_comes_late_is_met_by_its_undo_again() -> None:
    saga, request = begun()
    saga, effects = too_late(saga, request)
    undo = _taken_back(effects, 0)
    saga, effects = answer(saga, request, True)
    again = _taken_back(effects, 0)
    assert (again.request_id, again.attempt) == (undo.request_id, 2)
    assert saga.steps[0].late
    saga, effects = answer(saga, undo.request_id, True)
    assert (saga.state, effects) == (SagaState.UNDONE, (Over(),))
    assert answer(saga, undo.request_id, True) == (saga, ())


def test_a_refusal_that_comes_late_leaves_nothing_to_undo() -> None:
    saga, request = begun()
    saga, effects = too_late(saga, request)
    undo = _taken_back(effects, 0)
    saga, effects = answer(saga, request, False)
    assert (saga.state, effects, states(saga)[0]) == (SagaState.UNDONE, (Over(),), "undone")
    assert answer(saga, undo.request_id, True) == (saga, ())


def test_a_deadline_after_the_answer_changes_nothing() -> None:
    saga, request = begun()
    saga, _ = answer(saga, request, True)
    assert too_late(saga, request) == (saga, ())


def test_a_step_without_an_undo_fails_when_its_time_is_up() -> None:
    saga, effects = machine.begin(new_id(), new_id(), [TELL], new_id=new_id, now=NOW)
    saga, effects = too_late(saga, _asked(effects, 0))
    assert (saga.state, effects, states(saga)) == (SagaState.UNDONE, (Over(),), ["failed"])


def test_an_undo_without_an_answer_is_asked_for_again_and_then_stuck() -> None:
    saga, request = begun()
    saga, effects = too_late(saga, request)
    undo = _taken_back(effects, 0)
    for attempt in range(1, machine.UNDO_ATTEMPTS):
        assert too_late(saga, undo.request_id, attempt + 1) == (saga, ())
        saga, effects = too_late(saga, undo.request_id, attempt)
        assert _taken_back(effects, 0).attempt == attempt + 1
    saga, effects = too_late(saga, undo.request_id, machine.UNDO_ATTEMPTS)
    assert (saga.state, effects) == (SagaState.STUCK, ())
    saga, effects = answer(saga, undo.request_id, True)
    assert (saga.state, effects) == (SagaState.UNDONE, (Over(),))


def _stuck() -> tuple[Saga, UUID]:
    saga, invoice = begun()
    saga, effects = answer(saga, invoice, True)
    saga, effects = answer(saga, _asked(effects, 1), False)
    undo = _taken_back(effects, 0)
    saga, effects = answer(saga, undo.request_id, False, "it is paid")
    assert (saga.state, effects) == (SagaState.STUCK, ())
    assert (saga.steps[0].state, saga.steps[0].reason) == (StepState.STUCK, "undo: it is paid")
    return saga, undo.request_id


def test_a_person_has_a_refused_undo_asked_for_again() -> None:
    saga, undo = _stuck()
    saga, effects = machine.retried(saga)
    assert (saga.state, _taken_back(effects, 0).request_id) == (SagaState.COMPENSATING, undo)
    saga, effects = answer(saga, undo, True)
    assert (saga.state, effects) == (SagaState.UNDONE, (Over(),))
    assert machine.retried(saga) == (saga, ())


def test_a_person_leaves_a_step_as_it_is() -> None:
    saga, _ = _stuck()
    saga, effects = machine.left(saga, new_id=new_id)
    assert (saga.state, effects, states(saga)) == (SagaState.UNDONE, (Over(),), ["kept", "failed", "waiting"])
    assert machine.left(saga, new_id=new_id) == (saga, ())


OPTIONAL = replace(TELL, optional=True)
SKIPPED = replace(STEPS[1], state=StepState.SKIPPED)


def test_a_step_that_is_not_needed_is_skipped() -> None:
    saga, effects = machine.begin(new_id(), new_id(), [SKIPPED, STEPS[0]], new_id=new_id, now=NOW)
    saga, effects = answer(saga, _asked(effects, 1), False)
    assert (saga.state, effects, states(saga)) == (SagaState.UNDONE, (Over(),), ["skipped", "failed"])
    saga, effects = machine.begin(new_id(), new_id(), [SKIPPED], new_id=new_id, now=NOW)
    assert (saga.state, effects) == (SagaState.DONE, (Over(),))


@pytest.mark.parametrize("silent", [True, False])
def test_it_goes_on_without_an_optional_step(silent: bool) -> None:
    saga, effects = machine.begin(new_id(), new_id(), [OPTIONAL, TELL], new_id=new_id, now=NOW)
    optional = _asked(effects, 0)
    saga, effects = too_late(saga, optional) if silent else answer(saga, optional, False)
    last = _asked(effects, 1)
    assert answer(saga, optional, True) == (saga, ())
    saga, effects = answer(saga, last, True)
    assert (saga.state, effects, states(saga)) == (SagaState.DONE, (Over(),), ["failed", "done"])
    assert saga.reason is None


def test_one_that_is_withdrawn_after_its_end_is_undone() -> None:
    saga, effects = machine.begin(new_id(), new_id(), [STEPS[0], TELL], new_id=new_id, now=NOW)
    invoice = _asked(effects, 0)
    for step in (1, None):
        saga, effects = answer(saga, invoice if step else _asked(effects, 1), True)
    assert saga.state is SagaState.DONE
    saga, effects = machine.withdrawn(saga, "no longer wanted", new_id=new_id)
    undo = _taken_back(effects, 0)
    assert (undo.cancels, saga.reason) == (invoice, "no longer wanted")
    assert machine.withdrawn(saga, "again", new_id=new_id) == (saga, ())
    assert answer(saga, invoice, True) == (saga, ())
    saga, effects = answer(saga, undo.request_id, True)
    assert (saga.state, effects, states(saga)) == (SagaState.UNDONE, (Over(),), ["undone", "done"])
    assert machine.withdrawn(saga, "again", new_id=new_id) == (saga, ())


def test_one_that_is_withdrawn_while_it_waits_undoes_what_may_yet_be_granted() -> None:
    saga, invoice = begun()
    saga, effects = machine.withdrawn(saga, "no longer wanted", new_id=new_id)
    undo = _taken_back(effects, 0)
    saga, effects = answer(saga, invoice, True)
    assert (_taken_back(effects, 0).attempt, saga.steps[0].late) == (2, True)
    saga, effects = answer(saga, undo.request_id, True)
    assert (saga.state, effects) == (SagaState.UNDONE, (Over(),))


def test_one_that_is_withdrawn_where_nothing_can_be_undone_ends() -> None:
    saga, effects = machine.begin(new_id(), new_id(), [TELL], new_id=new_id, now=NOW)
    saga, effects = machine.withdrawn(saga, "no longer wanted", new_id=new_id)
    assert (saga.state, effects, states(saga)) == (SagaState.UNDONE, (Over(),), ["failed"])
