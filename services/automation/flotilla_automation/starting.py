"""Events trigger rules: conditions are looked at, loops and storms are stopped, runs begin."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from flotilla.bus.declare import RawEvent
from flotilla.store.postgres import Transaction

from flotilla_automation.domain.conditions import evaluate
from flotilla_automation.domain.fields import Occurrence
from flotilla_automation.domain.rules import InvalidRuleError, Rule
from flotilla_automation.domain.runs import Run, RunState
from flotilla_automation.running import AUDIENCE, Progress, carry_on, limits, tell, write
from flotilla_automation.store import plan_limits, rules, runs

BY_A_RULE: Final = "rule:"
Heard = tuple[RawEvent, Occurrence]
Caused = tuple[UUID, UUID, UUID | None]
"""(organization, correlation, request) of an event."""


async def start(tx: Transaction, heard: Sequence[Heard]) -> None:
    """Begin the runs that these events trigger; an event that came before triggers nothing again."""
    waiting = await rules.waiting(tx, [(e.envelope.organizationid, e.envelope.type) for _, e in heard])
    if waiting:
        await _start(tx, heard, waiting)


async def start_rule(tx: Transaction, rule: Rule, raw: RawEvent, event: Occurrence) -> None:
    """Begin a run of this rule alone; an event that came before triggers nothing again."""
    await _start(tx, [(raw, event)], {(event.envelope.organizationid, event.envelope.type): [rule]})


async def _start(
    tx: Transaction, heard: Sequence[Heard], waiting: Mapping[tuple[UUID, str], Sequence[Rule]]
) -> None:
    depths = await _depths(tx, heard)
    found: dict[UUID, Progress] = {}
    unbegun: list[Run] = []
    for raw, event in heard:
        for rule in waiting.get((event.envelope.organizationid, event.envelope.type), ()):
            depth = depths.get(_caused(event), 0)
            looked = _look(tx, rule, raw, event, depth)
            if isinstance(looked, Progress):
                found[looked.run.id] = looked
            elif looked is not None:
                unbegun.append(looked)
    new = await runs.insert(tx, [*(each.run for each in found.values()), *unbegun])
    for run in unbegun:
        if run.id in new:
            tell(tx, run, run.sequence)
    await _begin(tx, [each for id_, each in found.items() if id_ in new])


def _look(tx: Transaction, rule: Rule, raw: RawEvent, event: Occurrence, depth: int) -> Progress | Run | None:
    """What becomes of a rule and an event: a run to begin, one that ends here with its reason, or nothing."""
    now = datetime.now(UTC)
    run = _run(tx, rule, event, depth, now)
    try:
        plan = rule.plan
    except InvalidRuleError:
        return run.over(RunState.FAILED, now, "unfit: the rule does not fit its trigger any more")
    seen = evaluate(plan.condition, event)
    if not seen.holds and not seen.nearly:
        return None
    run = replace(run, explanation=[asdict(finding) for finding in seen.findings])
    if not seen.holds:
        return run.over(RunState.SKIPPED, now)
    if depth > limits(tx).max_depth:
        return run.over(RunState.STOPPED, now, "loop")
    return Progress(replace(run, event=raw.body.decode()), plan, rule.name, event)


def _run(tx: Transaction, rule: Rule, event: Occurrence, depth: int, now: datetime) -> Run:
    envelope = event.envelope
    return Run(
        organization_id=envelope.organizationid,
        id=tx.app.new_id(),
        rule_id=rule.id,
        version=rule.version,
        event_id=envelope.id,
        event_type=envelope.type,
        subject=envelope.subject,
        correlation_id=envelope.correlationid,
        depth=depth,
        clock=envelope.time,
        started_at=now,
    )


async def _begin(tx: Transaction, new: Sequence[Progress]) -> None:
    """Tell of each, and take its first step, unless its organization has begun too many."""
    if not new:
        return
    budgets = await _budgets(tx, Counter(each.run.organization_id for each in new))
    calm: list[Progress] = []
    over: list[Run] = []
    for each in new:
        reason, first = _refused(budgets, each.run.organization_id)
        if reason is None:
            calm.append(each)
            continue
        run = each.run.over(RunState.STOPPED, datetime.now(UTC), reason)
        over.append(run)
        if first:  # a storm of events about a storm helps nobody
            tell(tx, run, run.sequence + 1)
    await runs.save(tx, over)
    for each in calm:
        run = each.run
        tx.emit(run.triggered(), org=run.organization_id, sequence=1, cause=run.cause, audience=AUDIENCE)
    await write(tx, await carry_on(tx, calm))


@dataclass
class _Budget:
    """How many runs of an organization have begun in a time, and how many may."""

    reason: str
    begun: int
    most: int


async def _budgets(tx: Transaction, counts: Mapping[UUID, int]) -> dict[UUID, list[_Budget]]:
    """The storm limit of this minute, and the plan's of this day, before these begin."""
    minute = await runs.count_minute(tx, counts)
    most = limits(tx).runs_a_minute
    found = {org: [_Budget("storm", minute[org] - count, most)] for org, count in counts.items()}
    allowed = await plan_limits.of(tx, counts, plan_limits.RULE_RUNS)
    if allowed:
        day = await runs.count_day(tx, {org: counts[org] for org in allowed})
        for org, limit in allowed.items():
            found[org].append(_Budget("limit", day[org] - counts[org], limit))
    return found


def _refused(budgets: Mapping[UUID, list[_Budget]], org: UUID) -> tuple[str | None, bool]:
    """Why one more may not begin, and whether it is the first of its time that may not."""
    found: tuple[str | None, bool] = (None, False)
    for budget in budgets[org]:
        budget.begun += 1
        if budget.begun > budget.most and found[0] is None:
            found = (budget.reason, budget.begun == budget.most + 1)
    return found


async def _depths(tx: Transaction, heard: Sequence[Heard]) -> Mapping[Caused, int]:
    """How deep each event is that a rule caused, if only through others: one more than the run behind it."""
    caused = {_caused(event) for _, event in heard if (event.envelope.actor or "").startswith(BY_A_RULE)}
    if not caused:
        return {}
    known = await runs.depths(tx, sorted(caused, key=str))
    return {key: (depth if depth is not None else 0) + 1 for key, depth in known.items()}


def _caused(event: Occurrence) -> Caused:
    envelope = event.envelope
    return envelope.organizationid, envelope.correlationid, envelope.requestid
