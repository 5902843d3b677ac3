"""What a plan allows an organization, by its own terms where there are any; and telling the fleet of it."""

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
from flotilla_billing.domain.plans import edition, plans
from flotilla_billing.domain.subscriptions import Subscription
from flotilla_billing.store import subscriptions as store

AGREED: Final = "contract_terms"
Why = Received[Any] | Cause | None
"""What an effect goes back to."""


class Terms(msgspec.Struct, frozen=True):
    """What was agreed with an organization, feature by feature; null: as much as it likes."""

    limits: dict[str, int | None]


async def grant(tx: Transaction, started: Sequence[Subscription], now: datetime) -> list[Entitlement]:
    """Write what new subscriptions allow."""
    granted = [
        entitlement
        for each in started
        for entitlement in _entitlements(each.organization_id, each.plan, tuple(plans().features), now)
    ]
    if granted:
        await store.grant(tx, granted)
        await store.caught_up(tx, [each.organization_id for each in started], edition())
    return granted


async def allow(tx: Transaction, org: UUID, subscription: Subscription, cause: Why) -> None:
    """Bring what the organization may use into line with the subscription that the transaction holds."""
    await allow_all(tx, {org: subscription}, {org: cause})


async def allow_all(
    tx: Transaction, subscriptions: Mapping[UUID, Subscription], causes: Mapping[UUID, Why]
) -> None:
    """The same for each of these organizations; where nothing differs, nothing is told. It is noted by which plans."""
    now, orgs = datetime.now(UTC), sorted(subscriptions)
    terms = await store.terms(tx, orgs)
    held = await store.lock_entitlements(tx, orgs)
    period, changes = period_of(now), []
    for before in held:
        if before.feature not in plans().features:
            continue
        org = before.organization_id
        plan = subscriptions[org].effective_plan(plans())
        current = before.at(period, resets=plans().resets(before.feature))
        after = current.allowing(plans().allowance(plan, before.feature, terms.get(org)))
        if after != current:
            changes.append((before, replace(after, sequence=before.sequence + 1)))
    await tell(tx, changes, causes)
    # What plans have gained since the organization began.
    has = {(each.organization_id, each.feature) for each in held}
    fresh = []
    for org in orgs:
        missing = [feature for feature in plans().features if (org, feature) not in has]
        plan = subscriptions[org].effective_plan(plans())
        fresh += _entitlements(org, plan, missing, now, terms.get(org))
    if fresh:
        await store.grant(tx, fresh)
        for entitlement in fresh:
            org = entitlement.organization_id
            tx.emit(entitlement.changed(None), org=org, sequence=entitlement.sequence, cause=causes[org])
    await store.caught_up(tx, orgs, edition())


async def tell(
    tx: Transaction, changes: Sequence[tuple[Entitlement, Entitlement]], causes: Mapping[UUID, Why]
) -> None:
    """Write entitlements that the transaction holds, (before, after), and tell what has to be told.

    A use is not told of, but for those that reach a share of the limit, and what ends a refusal: a seat given
    back, a new period.
    """
    written = []
    for before, after in changes:
        org = after.organization_id
        cause = causes[org]
        acknowledged, shares = after.acknowledged()
        if after.allows_otherwise(before) or (before.blocked and not after.blocked):
            tx.emit(after.changed(before), org=org, sequence=acknowledged.sequence, cause=cause)
        for share in shares:
            acknowledged = replace(acknowledged, sequence=acknowledged.sequence + 1)
            tx.emit(after.reached(share), org=org, sequence=acknowledged.sequence, cause=cause)
        written.append(acknowledged)
    if written:
        await store.write(tx, written)


async def agree(tx: Transaction, org: UUID, limits: Mapping[str, int | None], cause: Why = None) -> None:
    """Keep an organization's own terms, all of them; they count while its plan is one `by_contract`."""
    subscription = await store.read(tx, org, lock=True)
    known = {feature: limit for feature, limit in limits.items() if feature in plans().features}
    if (await store.terms(tx, [org])).get(org, {}) == known:
        return
    await store.save_terms(tx, org, known)
    if subscription is not None:
        await allow(tx, org, subscription, cause)


async def _agreed(tx: Transaction, job: Job) -> None:
    await agree(tx, job.org, job.payload.limits, job.cause)


def _entitlements(
    org: UUID,
    plan: str,
    features: Sequence[str],
    now: datetime,
    terms: Mapping[str, int | None] | None = None,
) -> list[Entitlement]:
    return [
        Entitlement(
            organization_id=org,
            id=derived_id(now, "entitlement", str(org), feature),
            feature=feature,
            enabled=False,
            usage_limit=0,
            period_started_at=period_of(now),
        ).allowing(plans().allowance(plan, feature, terms))
        for feature in features
    ]


agreed = TimerKind(AGREED, Terms, _agreed)
