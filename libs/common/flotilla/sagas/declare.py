"""How a service says what its sagas are, and what carries them on: facts, timers, a person's decisions."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import msgspec

from flotilla.bus import faults
from flotilla.bus.declare import Handler, HandlerKind, Job, TimerKind
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.sagas import machine, store
from flotilla.sagas.machine import Ask, Effect, Over, Saga, SagaState, StepRun, StepState, TakeBack
from flotilla.sagas.store import Held
from flotilla.store.postgres import Transaction

ANSWER_WITHIN: Final = timedelta(minutes=5)

Context = TypeVar("Context", bound=msgspec.Struct)


@dataclass(frozen=True)
class Undo(Generic[Context]):
    """What takes a step back: a wish that names the request it cancels, answered by one of two facts."""

    wish: Callable[[Context, UUID, UUID, str], Event]
    """(context, the undo's own request id, the request id that it cancels, why)."""
    granted: type[Event]
    refused: type[Event]
    within: timedelta = ANSWER_WITHIN


@dataclass(frozen=True)
class Step(Generic[Context]):
    """A wish to another service, answered by one of two facts that carry its request id."""

    name: str
    wish: Callable[[Context, UUID], Event]
    """(context, the request id)."""
    granted: type[Event]
    refused: type[Event] | tuple[type[Event], ...]
    undo: Undo[Context] | None = None
    within: timedelta = ANSWER_WITHIN
    """How long the answer may take before the step is given up and taken back."""
    when: Callable[[Context], bool] | None = None
    """Whether a saga has need of it; without, every one has."""
    optional: bool = False
    """Whether the saga goes on where it is refused or not answered. It has no undo."""

    def planned(self, context: Context) -> StepRun:
        """The step as a saga begins with it."""
        needed = self.when is None or self.when(context)
        state = StepState.WAITING if needed else StepState.SKIPPED
        return StepRun(name=self.name, undoable=self.undo is not None, optional=self.optional, state=state)


@dataclass(frozen=True)
class End(Generic[Context]):
    """A saga at its end, as `done` and `undone` are told of it."""

    org: UUID
    saga: Saga
    context: Context
    cause: Cause


class Deadline(msgspec.Struct, frozen=True):
    """What a saga's timer remembers."""

    saga_id: UUID
    request_id: UUID
    attempt: int


@dataclass(frozen=True)
class SagaKind(Generic[Context]):
    """A saga: its steps in order, and what is done here at its end, in the transaction that ends it."""

    name: str
    context: type[Context]
    steps: tuple[Step[Context], ...]
    done: Callable[[Transaction, End[Context]], Awaitable[None]]
    undone: Callable[[Transaction, End[Context]], Awaitable[None]]
    lane: str = "sagas"

    @cached_property
    def facts(self) -> Handler:
        """The handler of all facts that answer its wishes."""
        types = [type_ for step in self.steps for type_ in (step.granted, *_types(step.refused))]
        types += [
            type_ for step in self.steps if step.undo for type_ in (step.undo.granted, step.undo.refused)
        ]
        unique = tuple(dict.fromkeys(types))
        return Handler(f"{self.name}_saga", HandlerKind.REACTION, self.lane, unique, self._hear)

    @cached_property
    def timer(self) -> TimerKind:
        """The deadlines of its wishes."""
        return TimerKind(f"{self.name}_saga", Deadline, self._fire)

    async def start(
        self, tx: Transaction, org: UUID, subject_id: UUID, context: Context, cause: Cause
    ) -> UUID:
        """Begin one in this transaction: its id. The first wish goes out when it commits."""
        now = await store.now(tx)
        plan = [step.planned(context) for step in self.steps]
        saga, effects = machine.begin(tx.app.new_id(), subject_id, plan, new_id=tx.app.new_id, now=now)
        held = Held(org, saga, msgspec.to_builtins(context), cause, now)
        await store.insert(tx, org, self.name, saga, context, cause)
        await self._carry_out(tx, held, saga, effects, cause)
        return saga.id

    async def decide(self, tx: Transaction, held: Held, *, keep: bool, cause: Cause) -> Saga:
        """A person's word on a saga that is stuck: ask again, or leave the step as it is."""
        decided = machine.left(held.saga, new_id=tx.app.new_id) if keep else machine.retried(held.saga)
        return await self._apply(tx, held, decided, cause)

    async def hold(self, tx: Transaction, org: UUID, subject_id: UUID) -> list[Held]:
        """Those about one entity, held until the commit; take this lock before the entity's own, as answers do."""
        return await store.lock_by_subject(tx, self.name, org, subject_id)

    async def withdraw(self, tx: Transaction, held: Held, reason: str, cause: Cause) -> Saga:
        """Undo what one did and will do, at its end too; one that is on its way back is left alone."""
        return await self._apply(tx, held, machine.withdrawn(held.saga, reason, new_id=tx.app.new_id), cause)

    async def _hear(self, tx: Transaction, batch: Sequence[Received[Any]]) -> None:
        answers = [event for event in batch if event.envelope.requestid is not None]
        if not answers:
            return
        requests = [(event.org, event.envelope.requestid) for event in answers]
        for held in await store.lock_by_request(tx, self.name, requests):  # type: ignore[arg-type]
            for event in sorted(answers, key=lambda event: event.id):
                if event.org == held.org:
                    saga = await self._answer(tx, held, event)
                    held = replace(held, saga=saga)

    async def _answer(self, tx: Transaction, held: Held, event: Received[Any]) -> Saga:
        request_id, granted = event.envelope.requestid, self._granted(held.saga, event)
        if granted is None or request_id is None:
            return held.saga
        outcome = machine.answered(
            held.saga,
            request_id,
            granted=granted,
            reason=getattr(event.data, "reason", None),
            new_id=tx.app.new_id,
            now=held.now,
        )
        return await self._apply(tx, held, outcome, replace(event.cause, actor=held.cause.actor))

    def _granted(self, saga: Saga, event: Received[Any]) -> bool | None:
        """Whether a wish of this saga was granted; None for a fact that answers none of its wishes."""
        for run, step in zip(saga.steps, self.steps, strict=True):
            for request_id, asked in ((run.request_id, step), (run.undo_request_id, step.undo)):
                if asked is not None and request_id == event.envelope.requestid:
                    if isinstance(event.data, asked.granted):
                        return True
                    return False if isinstance(event.data, asked.refused) else None
        return None

    async def _fire(self, tx: Transaction, job: Job) -> None:
        deadline: Deadline = job.payload
        found = await store.lock(tx, job.org, deadline.saga_id)
        if found is None:
            return
        _, held = found
        outcome = machine.overdue(
            held.saga,
            deadline.request_id,
            attempt=deadline.attempt,
            new_id=tx.app.new_id,
            now=held.now,
        )
        await self._apply(tx, held, outcome, job.cause)

    async def _apply(self, tx: Transaction, held: Held, outcome: machine.Outcome, cause: Cause) -> Saga:
        saga, effects = outcome
        if saga != held.saga:
            await store.save(tx, [(held.org, saga)])
            await self._carry_out(tx, held, saga, effects, cause)
            faults.reach("stepping")
        return saga

    async def _carry_out(
        self, tx: Transaction, held: Held, saga: Saga, effects: Sequence[Effect], cause: Cause
    ) -> None:
        context = msgspec.convert(held.context, self.context)
        for effect in effects:
            if isinstance(effect, Over):
                end = End(held.org, saga, context, replace(cause, request_id=None))
                await (self.done if saga.state is SagaState.DONE else self.undone)(tx, end)
                continue
            wish, within, attempt = self._wish(effect, context, saga)
            asking = replace(cause, request_id=effect.request_id)
            tx.emit(wish, org=held.org, sequence=attempt, cause=asking)
            await store.remember(tx, [(held.org, effect.request_id, saga.id)])
            deadline = Deadline(saga.id, effect.request_id, attempt)
            # A key for each attempt, never moved or cancelled: a timer that finds its answer there does nothing.
            key = f"{effect.request_id}:{attempt}"
            tx.set_timer(self.timer.kind, key, held.now + within, deadline, org=held.org, cause=asking)

    def _wish(self, effect: Ask | TakeBack, context: Context, saga: Saga) -> tuple[Event, timedelta, int]:
        step = self.steps[effect.step]
        if isinstance(effect, Ask):
            return step.wish(context, effect.request_id), step.within, 1
        assert step.undo is not None
        wish = step.undo.wish(context, effect.request_id, effect.cancels, saga.reason or "")
        return wish, step.undo.within, effect.attempt


def _types(one_or_more: type[Event] | tuple[type[Event], ...]) -> tuple[type[Event], ...]:
    return one_or_more if isinstance(one_or_more, tuple) else (one_or_more,)
