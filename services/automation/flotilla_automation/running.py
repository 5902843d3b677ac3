"""Runs, carried on: the step is entered in the ledger, then asked for, all in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.envelope import decode
from flotilla.events import CONTRACTS
from flotilla.store.postgres import Transaction

from flotilla_automation import consents
from flotilla_automation.domain.actions import kind_of
from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.rules import Plan
from flotilla_automation.domain.runs import Ask, Call, Deed, Run, RunState, begin_step
from flotilla_automation.settings import AutomationSettings
from flotilla_automation.store import runs as store

AUDIENCE: Final = None
"""For owners and admins: not everybody who reads the inbox may read rules."""
STEP_DUE: Final = "step_due"
WEBHOOK: Final = "webhook"


class StepPayload(msgspec.Struct, frozen=True):
    """A step of a run, and when it is over if nothing comes before."""

    run_id: UUID
    step: int
    due_at: datetime


class CallPayload(msgspec.Struct, frozen=True):
    """A call of a webhook."""

    run_id: UUID
    step: int
    url: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A run, with what it needs to go on."""

    run: Run
    plan: Plan
    rule: str
    event: Occurrence


def understand(text: str | bytes) -> Occurrence:
    """An event as rules look at it; msgspec errors where it breaks its contract."""
    envelope = decode(text if isinstance(text, bytes) else text.encode())
    return Occurrence(envelope, CONTRACTS[envelope.type].decoder.decode(envelope.data))


def limits(tx: Transaction) -> AutomationSettings:
    """The settings of this process."""
    settings = tx.app.settings
    assert isinstance(settings, AutomationSettings)
    return settings


def step_key(run: Run) -> str:
    """The key of a step's timer or job."""
    return f"{run.id}:{run.step}"


async def resume(tx: Transaction, over: Sequence[Run]) -> None:
    """Go on with runs that the transaction holds, whose steps are over or which have ended; write and tell it."""
    going = [run for run in over if run.event is not None]
    plans = await store.plans(tx, going) if going else {}
    progress = []
    for run in going:
        plan, rule = plans[run.organization_id, run.rule_id, run.version]
        progress.append(Progress(run, plan, rule, understand(run.event or "")))
    await write(tx, [*[run for run in over if run.event is None], *await carry_on(tx, progress)])


async def write(tx: Transaction, stand: Sequence[Run]) -> None:
    """Save runs as they stand, and tell of those that are over."""
    await store.save(tx, stand)
    for run in stand:
        tell(tx, run, run.sequence + 1)


def tell(tx: Transaction, run: Run, sequence: int) -> None:
    """Tell of a run's end; nothing where it lives."""
    fact = run.told()
    if fact is not None:
        tx.emit(fact, org=run.organization_id, sequence=sequence, cause=run.cause, audience=AUDIENCE)


async def carry_on(tx: Transaction, progress: Sequence[Progress]) -> list[Run]:
    """Begin the next step of each: the runs as they stand then, not yet saved."""
    now = datetime.now(UTC)
    begun = [begin_step(each.run, each.plan, each.event, rule=each.rule, now=now) for each in progress]
    begun = await _unless_replied(tx, begun, now)
    begun = await consents.only_allowed(tx, begun, [each.event for each in progress], now)
    steps = [
        (run, kind_of(each.plan.actions[run.step]))
        for each, (run, deed) in zip(progress, begun, strict=True)
        if deed is not None
    ]
    entered = await store.begin_effects(tx, steps) if steps else set()
    for run, deed in begun:
        if deed is not None and (run.organization_id, run.id, run.step) in entered:
            _do(tx, run, deed, now)
    return [run for run, _ in begun]


async def _unless_replied(
    tx: Transaction, begun: Sequence[tuple[Run, Deed | None]], now: datetime
) -> list[tuple[Run, Deed | None]]:
    """A run that waits to miss a reply ends where the reply is there already."""
    awaiting = [run for run, _ in begun if run.state is RunState.AWAITING_REPLY]
    if not awaiting:
        return list(begun)
    keys = [(run.organization_id, run.conversation_id) for run in awaiting if run.conversation_id]
    known = await store.positions(tx, keys)
    found: list[tuple[Run, Deed | None]] = []
    for run, deed in begun:
        if run.state is RunState.AWAITING_REPLY and run.conversation_id is not None:
            sides = known.get((run.organization_id, run.conversation_id), {})
            after = run.after_position
            if after is None:
                after = max(sides.values(), default=0)
            if sides.get(run.awaits or "", 0) > after:
                found.append((replied(run, now), None))
                continue
            run = replace(run, after_position=after)
        found.append((run, deed))
    return found


def replied(run: Run, now: datetime) -> Run:
    """The run, ended by the reply that it waited to miss."""
    return run.over(RunState.ENDED, now, f"the {run.awaits} wrote")


def _do(tx: Transaction, run: Run, deed: Deed, now: datetime) -> None:
    org, key = run.organization_id, step_key(run)
    if isinstance(deed, Call):
        tx.enqueue(WEBHOOK, key, CallPayload(run.id, run.step, deed.url), org=org, cause=run.cause)
        return
    if isinstance(deed, Ask):
        cause = replace(run.cause, request_id=deed.request_id)
        tx.emit(deed.wish, org=org, sequence=1, cause=cause, audience=AUDIENCE)
        until = now + timedelta(seconds=limits(tx).answer_seconds)
    else:
        until = deed.until
    payload = StepPayload(run.id, run.step, until)
    tx.set_timer(STEP_DUE, key, until, payload, org=org, cause=run.cause)
