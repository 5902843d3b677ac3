"""Rules that wait for a time: a timer a rule, by the database's clock, set anew in the transaction that it fires in."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, RawEvent, TimerKind
from flotilla.cause import Cause
from flotilla.events.automation import ScheduleDue
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_automation.domain.rules import InvalidRuleError, Rule, RuleState
from flotilla_automation.domain.schedules import Schedule
from flotilla_automation.running import AUDIENCE, understand
from flotilla_automation.starting import start_rule
from flotilla_automation.store import recent, rules

SCHEDULE_DUE: Final = "schedule_due"
ACTOR: Final = "service:automation"


class SchedulePayload(msgspec.Struct, frozen=True):
    """What is due; nothing where the rule has another version by then."""

    rule_id: UUID
    version: int
    due_at: datetime


async def arm(tx: Transaction, org: UUID, rule: Rule) -> None:
    """Have it run at its next time; a rule that is not enabled, or waits for events, at none."""
    schedule = rule.plan.schedule if rule.state is RuleState.ENABLED else None
    if schedule is None:
        tx.cancel_timer(SCHEDULE_DUE, str(rule.id))
    else:
        _set(tx, org, rule, schedule, await rules.now(tx))


def _set(tx: Transaction, org: UUID, rule: Rule, schedule: Schedule, after: datetime) -> None:
    at = schedule.after(after)
    if at is not None:
        payload = SchedulePayload(rule.id, rule.version, at)
        tx.set_timer(SCHEDULE_DUE, str(rule.id), at, payload, org=org, cause=Cause.fresh(ACTOR))


async def _fire(tx: Transaction, job: Job) -> None:
    """The time has come: the rule runs once, for the last one, however many came while nobody was there."""
    payload: SchedulePayload = job.payload
    rule = await rules.read(tx, job.org, payload.rule_id, lock=True)
    if rule is None or rule.state is not RuleState.ENABLED or rule.version != payload.version:
        return
    try:
        schedule = rule.plan.schedule
    except InvalidRuleError:
        return
    if schedule is None:
        return
    now = await rules.now(tx)
    due = schedule.due(payload.due_at, now)
    fact = ScheduleDue(rule_id=rule.id, due_at=due.at, time_zone=schedule.time_zone, missed=due.missed)
    # The id is of the time: however often this should be fired for it, the rule runs once.
    event_id = derived_id(due.at, "automation schedule", str(rule.id), str(rule.version))
    sequence = int(due.at.timestamp())
    tx.emit(
        fact, org=job.org, sequence=sequence, cause=Cause.fresh(ACTOR), audience=AUDIENCE, event_id=event_id
    )
    body = tx.emitted[-1].body
    event = understand(body)
    await recent.keep(tx, [(job.org, event_id, event.envelope.type, body.decode())])
    await start_rule(tx, rule, RawEvent(event.envelope, body), event)
    _set(tx, job.org, rule, schedule, max(now, due.at))


schedule_due = TimerKind(SCHEDULE_DUE, SchedulePayload, _fire)
