"""Deals that others want held, and released: one that is held cannot be won."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.cause import Cause
from flotilla.events.pipeline import (
    DealHoldFailed,
    DealHoldRequested,
    DealReleaseFailed,
    DealReleaseRequested,
)
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_pipeline.commands import AUDIENCE
from flotilla_pipeline.store import deals, holds


@reaction(DealHoldRequested, lane="deals")
async def hold_deals(tx: Transaction, batch: Sequence[Received[DealHoldRequested]]) -> None:
    """Hold open deals, or say why not."""
    granted, _ = await wishes.take(tx, batch)
    for event in _in_order(granted):
        wish, org = event.data, event.org
        deal = await deals.read_deal(tx, org, wish.deal_id, lock=True)
        if deal is None or not deal.open:
            reason = "not_found" if deal is None else "not_open"
            failed = DealHoldFailed(request_id=wish.request_id, deal_id=wish.deal_id, reason=reason)
            tx.emit(failed, org=org, sequence=1, cause=_answer(event), audience=AUDIENCE)
            continue
        await holds.hold(tx, org, wish.hold_id, deal.id, wish.reason)
        saved = await deals.save_deal(tx, org, deal)
        held = saved.held(wish.hold_id, wish.reason)
        tx.emit(held, org=org, sequence=saved.sequence, cause=_answer(event), audience=AUDIENCE)


@reaction(DealReleaseRequested, lane="deals")
async def release_deals(tx: Transaction, batch: Sequence[Received[DealReleaseRequested]]) -> None:
    """End holds; a deal that is over meanwhile is released all the same."""
    granted, _ = await wishes.take(tx, batch)
    for event in _in_order(granted):
        wish, org = event.data, event.org
        deal = await deals.read_deal(tx, org, wish.deal_id, lock=True)
        if deal is None:
            failed = DealReleaseFailed(request_id=wish.request_id, deal_id=wish.deal_id, reason="not_found")
            tx.emit(failed, org=org, sequence=1, cause=_answer(event), audience=AUDIENCE)
            continue
        await holds.release(tx, org, wish.hold_id, deal.id)
        saved = await deals.save_deal(tx, org, deal)
        released = saved.released(wish.hold_id)
        tx.emit(released, org=org, sequence=saved.sequence, cause=_answer(event), audience=AUDIENCE)


def _in_order(events: Sequence[Received[Any]]) -> list[Received[Any]]:
    """Sorted, so that two processes with the same deals wait for each other in one order."""
    return sorted(events, key=lambda event: (event.org, event.data.deal_id, event.id))


def _answer(event: Received[Any]) -> Cause:
    return replace(event.cause, request_id=event.data.request_id)
