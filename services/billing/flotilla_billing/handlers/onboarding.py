"""What a new organization begins with, granted and taken back as its onboarding asks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.billing import (
    SubscriptionCancelFailed,
    SubscriptionCancelRequested,
    SubscriptionFailed,
    SubscriptionRequested,
)
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_billing.domain.subscriptions import SubscriptionState
from flotilla_billing.store import subscriptions as store
from flotilla_billing.subscribing import begin, begin_again, change

LANE: Final = "organizations"


@reaction(SubscriptionRequested, lane=LANE)
async def begin_trials(tx: Transaction, batch: Sequence[Received[SubscriptionRequested]]) -> None:
    """Every organization begins with a trial; one that has a subscription already is told of it again."""
    granted, cancelled = await wishes.take(tx, batch)
    for event in cancelled:
        failed = SubscriptionFailed(request_id=event.data.request_id, reason="cancelled")
        tx.emit(failed, org=event.org, sequence=1, cause=_answer(event))
    new = await _begun(tx, granted)
    # Only where an onboarding that had failed is tried again: hardly ever, and one at a time.
    for event in sorted(granted, key=lambda event: event.org):
        subscription = await store.read(tx, event.org, lock=True) if event.org not in new else None
        if subscription is not None:
            await begin_again(tx, subscription, _answer(event))


@reaction(SubscriptionCancelRequested, lane=LANE)
async def take_back_trials(tx: Transaction, batch: Sequence[Received[SubscriptionCancelRequested]]) -> None:
    """End trials; a plan that was chosen meanwhile goes on, for somebody pays for it.

    An organization whose wish has not come has its subscription made and ended at once: from here on it has
    what everybody has, and the wish will be refused.
    """
    await wishes.cancel(tx, batch)
    await begin(tx, {event.org: replace(_answer(event), request_id=None) for event in batch})
    for event in sorted(batch, key=lambda event: event.org):
        before = await store.read(tx, event.org, lock=True)
        assert before is not None, "just begun"
        if before.state is SubscriptionState.TRIALING and before.provider == "local":
            await change(tx, before, before.ended(), _answer(event))
        elif before.state is SubscriptionState.CANCELLED:
            saved = await store.save(tx, before)
            told = saved.cancelled(before)
            tx.emit(told, org=event.org, sequence=saved.sequence, cause=_answer(event))
        else:
            wish = event.data
            failed = SubscriptionCancelFailed(
                request_id=wish.request_id, cancels=wish.cancels, reason="in_use"
            )
            tx.emit(failed, org=event.org, sequence=1, cause=_answer(event))


async def _begun(tx: Transaction, granted: Sequence[Received[SubscriptionRequested]]) -> set[UUID]:
    """Those organizations that had no subscription yet."""
    return await begin(tx, {event.org: _answer(event) for event in granted})


def _answer(event: Received[SubscriptionRequested] | Received[SubscriptionCancelRequested]) -> Cause:
    """What an answer goes back to: its wish, by the request that the wish carries."""
    return replace(event.cause, request_id=event.data.request_id)
