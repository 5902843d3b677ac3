"""What people do with rules: each command changes one and tells of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flotilla.http import ConflictError
from flotilla.problems import LimitReachedError
from flotilla.store.postgres import Transaction

from flotilla_automation import schedules
from flotilla_automation.domain.rules import PLAN_FIELDS, Rule, RuleState
from flotilla_automation.running import AUDIENCE, limits
from flotilla_automation.store import plan_limits, rules, wanted


async def create(tx: Transaction, org: UUID, values: Mapping[str, Any]) -> Rule:
    """Make a rule; without a position it runs last."""
    count, last = await rules.count(tx, org)
    limit = limits(tx).rules_limit
    if count >= limit:
        raise ConflictError(f"An organization has at most {limit} rules: delete one.")
    now = datetime.now(UTC)
    position = values["position"] if values["position"] is not None else last + 1
    draft = Rule(id=tx.app.new_id(), created_at=now, updated_at=now, **{**values, "position": position})
    await _check_plan(tx, org, draft)
    rule = await rules.add(tx, org, draft)
    await wanted.note_organization(tx, org)
    await _want(tx, org, rule)
    await schedules.arm(tx, org, rule)
    tx.emit(rule.created(), org=org, sequence=rule.sequence, audience=AUDIENCE)
    return rule


async def change(tx: Transaction, org: UUID, rule: Rule, wanted_values: Mapping[str, Any]) -> Rule:
    """Change a rule that the transaction holds; where nothing differs, nothing happens.

    Runs that have begun go on with the version that they began with.
    """
    changed = {
        name: [getattr(rule, name), value]
        for name, value in wanted_values.items()
        if getattr(rule, name) != value
    }
    if not changed:
        return rule
    new_version = any(name in changed for name in PLAN_FIELDS)
    revised = replace(rule, **{name: new for name, (_, new) in changed.items()})
    if new_version:
        revised = replace(revised, version=rule.version + 1)
        changed["version"] = [rule.version, revised.version]
    if "state" in changed:
        await _check_plan(tx, org, revised)
    saved = await rules.save(tx, org, revised, new_version=new_version)
    await _want(tx, org, saved)
    if new_version or "state" in changed:  # else a time that has just come would be passed over
        await schedules.arm(tx, org, saved)
    # What the rule says is read over HTTP by those who may; its event tells that it changed.
    told = {name: pair for name, pair in changed.items() if name not in ("condition", "actions", "schedule")}
    tx.emit(saved.updated(told), org=org, sequence=saved.sequence, audience=AUDIENCE)
    return saved


async def _check_plan(tx: Transaction, org: UUID, rule: Rule) -> None:
    """LimitReachedError where the plan allows no further rule to be enabled. Those that are stay so."""
    if rule.state is not RuleState.ENABLED:
        return
    allowed = (await plan_limits.of(tx, [org], plan_limits.RULES)).get(org)
    if allowed is not None and await rules.enabled_beside(tx, org, rule.id) >= allowed:
        raise LimitReachedError(f"Your plan allows {allowed} enabled rules: disable one, or change the plan.")


async def delete(tx: Transaction, org: UUID, rule: Rule) -> Rule:
    """It runs no more; its runs stay readable, and those that have begun end."""
    return await change(tx, org, rule, {"state": RuleState.DELETED})


async def _want(tx: Transaction, org: UUID, rule: Rule) -> None:
    if rule.state is RuleState.ENABLED:
        await wanted.want(tx, org, rule.id, rule.version, rule.plan.wants)
    else:
        await wanted.want_no_more(tx, org, rule.id)
