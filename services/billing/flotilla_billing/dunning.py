"""Money that did not come: grace with reminders, then the plan that everybody has; what comes in between restores.

A subscription is owed for while it has overdue bills. Each bill is known by its id, so that what is told twice or
out of order counts once, and one that was paid is never overdue again.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec
from flotilla.bus.declare import Job, TimerKind
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_billing import grace
from flotilla_billing.allowing import Why
from flotilla_billing.domain.entitlements import period_after
from flotilla_billing.domain.plans import plans
from flotilla_billing.domain.subscriptions import Subscription, SubscriptionState
from flotilla_billing.grace import DUNNING, Step
from flotilla_billing.settings import settings_of
from flotilla_billing.store import dunning as store
from flotilla_billing.store import stripe, subscriptions, wallets
from flotilla_billing.store.wallets import Movement
from flotilla_billing.subscribing import RENEW, Renewal, change

END: Final = "stripe_end"
OWED_FOR: Final = (SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE)


class Ended(msgspec.Struct, frozen=True):
    """The subscription that Stripe shall end; another that began meanwhile goes on."""

    subscription_id: str | None


async def fall_due(
    tx: Transaction,
    before: Subscription,
    bill_id: str,
    at: datetime,
    cause: Why,
    *,
    owed: Movement | None = None,
) -> None:
    """A bill of a subscription that the transaction holds was not paid; `owed`: what of a local plan."""
    org = before.organization_id
    if before.state not in OWED_FOR:
        return
    await store.add(
        tx, org, bill_id, at, -owed.amount_minor if owed else None, owed.currency if owed else None
    )
    await change(tx, before, replace(before, state=SubscriptionState.PAST_DUE), cause)


async def settle(tx: Transaction, before: Subscription, bill_id: str, cause: Why) -> Subscription:
    """A bill was paid: where it was the last that was owed, all is as it was."""
    org = before.organization_id
    await store.paid(tx, org, bill_id)
    if before.state is not SubscriptionState.PAST_DUE or await store.owed(tx, org):
        return before
    return await change(tx, before, replace(before, state=SubscriptionState.ACTIVE), cause)


async def collect(tx: Transaction, org: UUID) -> None:
    """Pay what is owed for a local plan from the balance, as far as it goes, the oldest first."""
    subscription = await subscriptions.read(tx, org, lock=True)
    if subscription is None or subscription.state is not SubscriptionState.PAST_DUE:
        return
    for bill in await store.owed(tx, org):
        if bill["amount_minor"] is None:
            continue
        fee = _fee(org, bill["id"], bill["amount_minor"], bill["currency"], bill["failed_at"])
        if not (await wallets.move(tx, [fee]))[org, fee.id]:
            return
        subscription = await settle(tx, subscription, bill["id"], None)


async def _step(tx: Transaction, job: Job) -> None:
    """Remind, or end the grace; a step of a grace that is over does nothing."""
    step: Step = job.payload
    subscription = await subscriptions.read(tx, job.org, lock=True)
    if subscription is None or subscription.grace_ends_at != step.grace_ends_at:
        return
    if grace.is_last(step):
        await _downgrade(tx, subscription, job)
    else:
        await grace.remind(tx, subscription, step.number, job.cause)


async def _downgrade(tx: Transaction, before: Subscription, job: Job) -> None:
    if before.provider == "stripe":
        known = await stripe.customer(tx, job.org)
        tx.enqueue(END, f"{job.org}:{job.id}", Ended(known["subscription_id"]), org=job.org, cause=job.cause)
    lost = plans().plans[before.plan].title
    free = before.on(plans().trial.then, datetime.now(UTC))
    after = await change(tx, before, replace(free, provider="local"), job.cause)
    await grace.tell_owners(
        tx,
        after,
        kind="billing.downgraded",
        title="Your organization is on the free plan now",
        text=f"The {lost} plan was not paid for. Nothing was deleted: choose a plan to go on where you were.",
        params={"plan": lost},
        name=job.payload.grace_ends_at.isoformat(),
        cause=job.cause,
    )


async def _renew(tx: Transaction, job: Job) -> None:
    """A month of a local plan begins: its price is taken from the balance, or owed."""
    renewal: Renewal = job.payload
    before = await subscriptions.read(tx, job.org, lock=True)
    if before is None or before.provider != "local" or before.period_ends_at != renewal.period_ends_at:
        return
    price = plans().plans[before.plan].price
    if before.state not in OWED_FOR or price.amount_minor == 0 or not settings_of(tx).charge_local_plans:
        return
    began = before.period_ends_at
    renewed = replace(before, period_started_at=began, period_ends_at=period_after(began))
    saved = await change(tx, before, renewed, job.cause)
    bill = f"local:{began:%Y-%m}"
    fee = _fee(job.org, bill, price.amount_minor, price.currency, began)
    if not (await wallets.move(tx, [fee]))[job.org, fee.id]:
        await fall_due(tx, saved, bill, began, job.cause, owed=fee)


def _fee(org: UUID, bill_id: str, amount_minor: int, currency: str, at: datetime) -> Movement:
    """Of one bill, once: its id is made of the bill's."""
    return Movement(
        organization_id=org,
        id=derived_id(at, "plan", str(org), bill_id),
        currency=currency,
        amount_minor=-amount_minor,
        kind="plan",
        text=bill_id.removeprefix("local:"),
    )


dunning_step = TimerKind(DUNNING, Step, _step)
renewal = TimerKind(RENEW, Renewal, _renew)
