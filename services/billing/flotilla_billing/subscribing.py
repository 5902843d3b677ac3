"""Having a plan: how it begins, changes and ends, and what that allows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_billing.domain.entitlements import Entitlement, period_of
from flotilla_billing.domain.plans import Kind, plans
from flotilla_billing.domain.subscriptions import Subscription, SubscriptionState
from flotilla_billing.store import subscriptions as store

TRIAL_ENDS: Final = "trial_ends"
Why = Received[Any] | Cause | None
"""What an effect goes back to."""


class TrialPayload(msgspec.Struct, frozen=True):
    """What the timer of a trial remembers."""

    subscription_id: UUID


async def begin(tx: Transaction, orgs: Mapping[UUID, Why]) -> set[UUID]:
    """Give a trial to each organization that has no subscription yet: those; `orgs`: to what it goes back."""
    now = datetime.now(UTC)
    known = plans()
    started = await store.start(tx, [Subscription.trial(known, org, now) for org in sorted(orgs)])
    granted = [entitlement for each in started for entitlement in _granted(each, now)]
    if granted:
        await store.grant(tx, granted)
    for each in started:
        org, cause = each.organization_id, orgs[each.organization_id]
        tx.emit(each.created(), org=org, sequence=each.sequence, cause=cause)
        _time_trial(tx, each, cause)
    for entitlement in granted:
        org = entitlement.organization_id
        tx.emit(entitlement.changed(None), org=org, sequence=entitlement.sequence, cause=orgs[org])
    return {each.organization_id for each in started}


async def begin_again(tx: Transaction, before: Subscription, cause: Why) -> None:
    """Tell of the subscription that an organization has already; one that was taken back is a trial again."""
    wanted = before
    if before.state is SubscriptionState.CANCELLED and before.provider == "local":
        fresh = Subscription.trial(plans(), before.organization_id, datetime.now(UTC))
        wanted = replace(fresh, id=before.id, sequence=before.sequence, created_at=before.created_at)
    saved = await store.save(tx, wanted)
    tx.emit(saved.created(), org=saved.organization_id, sequence=saved.sequence, cause=cause)
    if wanted is not before:
        _time_trial(tx, saved, cause)
        await _allow(tx, saved.organization_id, saved.plan, cause)


def _time_trial(tx: Transaction, trial: Subscription, cause: Why) -> None:
    assert trial.trial_ends_at is not None
    org = trial.organization_id
    tx.set_timer(TRIAL_ENDS, str(org), trial.trial_ends_at, TrialPayload(trial.id), org=org, cause=cause)


def _granted(subscription: Subscription, now: datetime) -> list[Entitlement]:
    org = subscription.organization_id
    return [
        Entitlement(
            organization_id=org,
            id=derived_id(now, "entitlement", str(org), feature),
            feature=feature,
            enabled=False,
            usage_limit=0,
            period_started_at=period_of(now),
        ).allowing(plans().allowance(subscription.plan, feature))
        for feature in plans().features
    ]


async def change(
    tx: Transaction, before: Subscription, wanted: Subscription, cause: Why = None
) -> Subscription:
    """Write a subscription that the transaction holds, tell of it and of what it allows now."""
    if wanted == before:
        return before
    saved = await store.save(tx, wanted)
    ended = saved.state is SubscriptionState.CANCELLED and before.state is not SubscriptionState.CANCELLED
    told = saved.cancelled(before) if ended else saved.updated(before)
    tx.emit(told, org=saved.organization_id, sequence=saved.sequence, cause=cause)
    if saved.trial_ends_at is None:
        tx.cancel_timer(TRIAL_ENDS, str(saved.organization_id))
    # Who has ended what they paid for keeps what everybody has.
    plan = plans().trial.then if saved.state is SubscriptionState.CANCELLED else saved.plan
    await _allow(tx, saved.organization_id, plan, cause)
    return saved


async def _allow(tx: Transaction, org: UUID, plan: str, cause: Why) -> None:
    period, changes = period_of(datetime.now(UTC)), []
    for before in await store.lock_entitlements(tx, [org]):
        feature = plans().features.get(before.feature)
        if feature is None:
            continue
        current = before.at(period, resets=feature.kind is Kind.USE)
        after = current.allowing(plans().allowance(plan, before.feature))
        if after != current:
            changes.append((before, replace(after, sequence=before.sequence + 1)))
    await tell(tx, changes, dict.fromkeys([org], cause))


async def tell(
    tx: Transaction, changes: Sequence[tuple[Entitlement, Entitlement]], causes: Mapping[UUID, Why]
) -> None:
    """Write entitlements that the transaction holds, (before, after), and tell what has to be told."""
    written = []
    for before, after in changes:
        org = after.organization_id
        cause = causes[org]
        acknowledged, shares = after.acknowledged()
        same = (before.enabled, before.usage_limit, before.beyond) == (
            after.enabled,
            after.usage_limit,
            after.beyond,
        )
        if not same:
            tx.emit(after.changed(before), org=org, sequence=acknowledged.sequence, cause=cause)
        for share in shares:
            acknowledged = replace(acknowledged, sequence=acknowledged.sequence + 1)
            tx.emit(after.reached(share), org=org, sequence=acknowledged.sequence, cause=cause)
        written.append(acknowledged)
    if written:
        await store.write(tx, written)


async def _end_trial(tx: Transaction, job: Job) -> None:
    """The trial is over: on to the plan that everybody has, unless another was chosen, or is tried, meanwhile."""
    subscription = await store.read(tx, job.org, lock=True)
    if subscription is None or subscription.provider != "local":
        return
    if subscription.state is SubscriptionState.TRIALING:
        await change(tx, subscription, subscription.on(plans().trial.then, datetime.now(UTC)), job.cause)


trial_ends = TimerKind(TRIAL_ENDS, TrialPayload, _end_trial)
