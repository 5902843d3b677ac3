"""Events in: whatever type some subscription wants goes into its organization's window, and is due for delivery."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from flotilla.bus.declare import RawEvent, tap
from flotilla.store.postgres import Transaction

from flotilla_integrations.partners import asking
from flotilla_integrations.partners.binding import LANE
from flotilla_integrations.partners.domain import Subscription
from flotilla_integrations.partners.redaction import redact
from flotilla_integrations.partners.store import deliveries, subscriptions, wants, window

Wanted = tuple[RawEvent, list[Subscription]]


@tap(LANE, dynamic=True)
async def keep_for_partners(tx: Transaction, batch: Sequence[RawEvent]) -> None:
    """Keep what somebody wants, once; and have it delivered to each who does."""
    orgs = await wants.organizations_with(tx, {raw.envelope.organizationid for raw in batch})
    if not orgs:
        return
    listeners = await subscriptions.listening(tx, orgs)
    wanted = [found for raw in batch if (found := _wanted(raw, listeners))[1]]
    if not wanted:
        return
    positions = await window.append(tx, [_kept(raw, by) for raw, by in wanted])
    new = [
        deliveries.New(each.organization_id, each.id, raw.envelope.id, raw.envelope.type, position)
        for raw, by in wanted
        if (position := positions.get((raw.envelope.organizationid, raw.envelope.id))) is not None
        for each in by
    ]
    if new:
        await deliveries.add(tx, new)
    for org, subscription_id in sorted({(each.organization_id, each.subscription_id) for each in new}):
        asking.take_turn(tx, org, subscription_id)


def _wanted(raw: RawEvent, listeners: Sequence[Subscription]) -> Wanted:
    org: UUID = raw.envelope.organizationid
    own = [each for each in listeners if each.organization_id == org]
    if not own:
        return raw, []
    event: dict[str, Any] = msgspec.json.decode(raw.body)
    return raw, [each for each in own if each.wants(event)]


def _kept(raw: RawEvent, by: Sequence[Subscription]) -> window.Kept:
    """What is personal is kept where somebody may have it, and nowhere else."""
    envelope = raw.envelope
    body = raw.body if any(each.personal_data for each in by) else redact(raw.body)
    return window.Kept(envelope.organizationid, envelope.id, envelope.type, envelope.time, body)
