"""Having a plan: how it begins, changes and ends, and what that allows."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.store.postgres import Transaction

from flotilla_billing.allowing import Why, allow, grant
from flotilla_billing.domain.plans import plans
from flotilla_billing.domain.subscriptions import Subscription, SubscriptionState
from flotilla_billing.store import subscriptions as store

TRIAL_ENDS: Final = "trial_ends"


class TrialPayload(msgspec.Struct, frozen=True):
    """What the timer of a trial remembers."""

    subscription_id: UUID


async def begin(tx: Transaction, orgs: Mapping[UUID, Why]) -> set[UUID]:
    """Give a trial to each organization that has no subscription yet: those; `orgs`: to what it goes back."""
    now = datetime.now(UTC)
    known = plans()
    started = await store.start(tx, [Subscription.trial(known, org, now) for org in sorted(orgs)])
    granted = await grant(tx, started, now)
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
        await allow(tx, saved.organization_id, saved, cause)


def _time_trial(tx: Transaction, trial: Subscription, cause: Why) -> None:
    assert trial.trial_ends_at is not None
    org = trial.organization_id
    tx.set_timer(TRIAL_ENDS, str(org), trial.trial_ends_at, TrialPayload(trial.id), org=org, cause=cause)


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
    await allow(tx, saved.organization_id, saved, cause)
    return saved


async def _end_trial(tx: Transaction, job: Job) -> None:
    """The trial is over: on to the plan that everybody has, unless another was chosen, or is tried, meanwhile."""
    subscription = await store.read(tx, job.org, lock=True)
    if subscription is None or subscription.provider != "local":
        return
    if subscription.state is SubscriptionState.TRIALING:
        await change(tx, subscription, subscription.on(plans().trial.then, datetime.now(UTC)), job.cause)


trial_ends = TimerKind(TRIAL_ENDS, TrialPayload, _end_trial)
