"""Having a plan: how it begins, changes and ends, and what that allows."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.store.postgres import Transaction

from flotilla_billing import grace
from flotilla_billing.allowing import Why, allow, grant
from flotilla_billing.domain.plans import plans
from flotilla_billing.domain.subscriptions import Subscription, SubscriptionState
from flotilla_billing.settings import settings_of
from flotilla_billing.store import subscriptions as store

TRIAL_ENDS: Final = "trial_ends"
RENEW: Final = "renew_plan"


class Renewal(msgspec.Struct, frozen=True):
    """What the timer of a local plan's next month remembers."""

    period_ends_at: datetime


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
    wanted = replace(wanted, grace_ends_at=_grace_of(before, wanted))
    if wanted == before:
        return before
    saved = await store.save(tx, wanted)
    ended = saved.state is SubscriptionState.CANCELLED and before.state is not SubscriptionState.CANCELLED
    told = saved.cancelled(before) if ended else saved.updated(before)
    tx.emit(told, org=saved.organization_id, sequence=saved.sequence, cause=cause)
    if saved.trial_ends_at is None:
        tx.cancel_timer(TRIAL_ENDS, str(saved.organization_id))
    _time_renewal(tx, before, saved, cause)
    if before.grace_ends_at is None and saved.grace_ends_at is not None:
        await grace.begin(tx, saved, cause)
    elif before.grace_ends_at is not None and saved.grace_ends_at is None:
        await grace.end(tx, saved.organization_id)
    await allow(tx, saved.organization_id, saved, cause)
    return saved


def _grace_of(before: Subscription, wanted: Subscription) -> datetime | None:
    """One grace for all that falls due until it is paid."""
    if wanted.state is not SubscriptionState.PAST_DUE:
        return None
    return before.grace_ends_at or datetime.now(UTC) + grace.GRACE


def _time_renewal(tx: Transaction, before: Subscription, saved: Subscription, cause: Why) -> None:
    """Have the next month charged, where local plans are."""
    if saved.provider != "local" or not settings_of(tx).charge_local_plans:
        return
    if saved.period_ends_at != before.period_ends_at or saved.plan != before.plan:
        # A key for each month: a renewal that is under way can set the next.
        key = f"{saved.organization_id}:{saved.period_ends_at:%Y-%m}"
        payload = Renewal(saved.period_ends_at)
        tx.set_timer(RENEW, key, saved.period_ends_at, payload, org=saved.organization_id, cause=cause)


async def _end_trial(tx: Transaction, job: Job) -> None:
    """The trial is over: on to the plan that everybody has, unless another was chosen, or is tried, meanwhile."""
    subscription = await store.read(tx, job.org, lock=True)
    if subscription is None or subscription.provider != "local":
        return
    if subscription.state is SubscriptionState.TRIALING:
        await change(tx, subscription, subscription.on(plans().trial.then, datetime.now(UTC)), job.cause)


trial_ends = TimerKind(TRIAL_ENDS, TrialPayload, _end_trial)
