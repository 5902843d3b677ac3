"""Counting what is used: each use once, in the period of its own time, and telling when a limit comes near."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_billing.allowing import Why, tell
from flotilla_billing.domain.entitlements import Entitlement, period_of
from flotilla_billing.domain.plans import plans
from flotilla_billing.store import subscriptions, usage
from flotilla_billing.store.usage import Holding, Use
from flotilla_billing.stripe.subscriptions import METER, Metered
from flotilla_billing.subscribing import begin

Key = tuple[UUID, str]
"""(organization, feature)."""


async def count(tx: Transaction, uses: Sequence[Use], causes: Mapping[UUID, Why]) -> list[Use]:
    """Count uses that are not known yet: these. Under a replay of any length nothing is counted twice."""
    fresh = await usage.record(tx, uses)
    if not fresh:
        return []
    await usage.add_to_periods(tx, fresh, [period_of(use.used_at) for use in fresh])
    added: defaultdict[Key, list[tuple[datetime, int]]] = defaultdict(list)
    for use in sorted(fresh, key=lambda use: use.used_at):
        added[use.organization_id, use.feature].append((period_of(use.used_at), use.amount))
    await _apply(tx, added, causes)
    return fresh


async def hold(tx: Transaction, holdings: Sequence[Holding], causes: Mapping[UUID, Why]) -> None:
    """Keep count of what is there."""
    period = period_of(datetime.now(UTC))
    added: defaultdict[Key, list[tuple[datetime, int]]] = defaultdict(list)
    for row in await usage.hold(tx, holdings):
        added[row["organization_id"], row["feature"]].append((period, row["difference"]))
    if added:
        await _apply(tx, added, causes)


async def _charge(
    tx: Transaction, changes: Sequence[tuple[Entitlement, Entitlement]], causes: Mapping[UUID, Why]
) -> None:
    """Have Stripe told of use past the limit, where it is charged for through Stripe."""
    past = [(after, after.past_limit - before.past_limit_in(after)) for before, after in changes]
    charged = [(after, amount) for after, amount in past if after.beyond == "overage" and amount > 0]
    paying = await subscriptions.paying(tx, sorted({after.organization_id for after, _ in charged}))
    for after, amount in charged:
        org = after.organization_id
        if org in paying:
            metered = Metered(after.feature, amount, datetime.now(UTC))
            tx.enqueue(METER, f"{after.id}:{after.sequence}", metered, org=org, cause=causes[org])


async def _apply(
    tx: Transaction, added: Mapping[Key, Sequence[tuple[datetime, int]]], causes: Mapping[UUID, Why]
) -> None:
    orgs = sorted({org for org, _ in added})
    # An organization may be heard of by what it uses before auth's word of it comes.
    await begin(tx, {org: causes[org] for org in orgs})
    changes: list[tuple[Entitlement, Entitlement]] = []
    for before in await subscriptions.lock_entitlements(tx, orgs):
        amounts = added.get((before.organization_id, before.feature))
        if amounts is None:
            continue
        resets, after = plans().resets(before.feature), before
        for period, amount in amounts:
            after = after.counting(amount, period, resets=resets)
        if after != before:
            changes.append((before, replace(after, sequence=before.sequence + 1)))
    await _charge(tx, changes, causes)
    await tell(tx, changes, causes)
