"""Deals that others want assigned."""

from collections.abc import Sequence
from dataclasses import replace

from flotilla.bus.declare import reaction
from flotilla.bus.envelope import Received
from flotilla.events.pipeline import DealAssignFailed, DealAssignRequested
from flotilla.sagas import wishes
from flotilla.store.postgres import Transaction

from flotilla_pipeline.commands import AUDIENCE
from flotilla_pipeline.store import deals, people

Requested = Received[DealAssignRequested]


@reaction(DealAssignRequested, lane="deals")
async def assign_deals(tx: Transaction, batch: Sequence[Requested]) -> None:
    """Give deals to who shall have them; each wish is answered, also where nothing differs."""
    granted, _ = await wishes.take(tx, batch)
    # Sorted, so that two processes with the same deals wait for each other in one order.
    for event in sorted(granted, key=lambda event: (event.org, event.data.deal_id, event.id)):
        await _assign(tx, event)


async def _assign(tx: Transaction, event: Requested) -> None:
    wish, org = event.data, event.org
    cause = replace(event.cause, request_id=wish.request_id)
    deal = await deals.read_deal(tx, org, wish.deal_id, lock=True)
    unknown = deal is not None and await people.unknown(tx, org, {"owner_id": wish.owner_id})
    if deal is None or unknown:
        reason = "not_found" if deal is None else "unknown_owner"
        failed = DealAssignFailed(request_id=wish.request_id, deal_id=wish.deal_id, reason=reason)
        tx.emit(failed, org=org, sequence=1, cause=cause, audience=AUDIENCE)
        return
    changed = {} if deal.owner_id == wish.owner_id else {"owner_id": [deal.owner_id, wish.owner_id]}
    if changed:
        deal = await deals.save_deal(tx, org, replace(deal, owner_id=wish.owner_id))
    tx.emit(deal.updated(changed), org=org, sequence=deal.sequence, cause=cause, audience=AUDIENCE)
