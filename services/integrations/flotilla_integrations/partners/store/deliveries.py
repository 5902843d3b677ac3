"""Rows of deliveries: what is due, what came of it, the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_integrations.partners.domain import Attempt, Letter, Subscription

ADD: Final = """
INSERT INTO partner_deliveries (organization_id, id, subscription_id, run, position, event_id, type, body)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::bigint[], $6::uuid[], $7::text[], $8::bytea[])
ON CONFLICT (organization_id, subscription_id, position, run) DO NOTHING"""
DUE: Final = """
SELECT d.id, d.event_id, d.type, d.position, d.attempts, d.made_at, coalesce(d.body, e.body) AS body
FROM partner_deliveries d
LEFT JOIN partner_events e ON e.organization_id = d.organization_id AND e.position = d.position
WHERE d.organization_id = $1 AND d.subscription_id = $2 AND d.state = 'waiting' AND d.due_at <= now()
ORDER BY d.due_at, d.id LIMIT $3"""
# What failed before the subscription was last changed is tried at once.
HASTEN: Final = """
UPDATE partner_deliveries SET due_at = now()
WHERE organization_id = $1 AND subscription_id = $2 AND state = 'waiting' AND due_at > now() AND attempted_at < $3"""
RECORD: Final = """
UPDATE partner_deliveries d
SET state = t.state, attempts = d.attempts + t.counted, due_at = coalesce(now() + t.wait, d.due_at), status = t.status,
    milliseconds = t.milliseconds, response = t.response, error = t.error, attempted_at = now()
FROM unnest($2::uuid[], $3::text[], $4::int[], $5::interval[], $6::int[], $7::int[], $8::text[], $9::text[])
     AS t (id, state, counted, wait, status, milliseconds, response, error)
WHERE d.organization_id = $1 AND d.id = t.id AND d.state = 'waiting'"""
NEXT_DUE: Final = """
SELECT greatest(d.due_at, CASE WHEN h.failing_since < s.updated_at THEN NULL ELSE h.rest_until END) AS due_at
FROM partner_subscriptions s
JOIN LATERAL (SELECT due_at FROM partner_deliveries d
              WHERE d.organization_id = s.organization_id AND d.subscription_id = s.id AND d.state = 'waiting'
              ORDER BY due_at LIMIT 1) AS d ON true
LEFT JOIN partner_health h ON h.organization_id = s.organization_id AND h.subscription_id = s.id
WHERE s.organization_id = $1 AND s.id = $2 AND s.state = 'active'"""
READ: Final = """
SELECT * FROM partner_deliveries WHERE organization_id = $1 AND subscription_id = $2 AND id = $3"""
LIST: Final = "SELECT * FROM partner_deliveries"
SWEEP: Final = """
DELETE FROM partner_deliveries d USING (
    SELECT organization_id, id FROM partner_deliveries
    WHERE organization_id = ANY($1) AND made_at < now() - $2::interval LIMIT $3) AS old
WHERE d.organization_id = old.organization_id AND d.id = old.id"""


@dataclass(frozen=True, slots=True)
class New:
    """A delivery to be made: of an event in the window, or of a body of its own."""

    organization_id: UUID
    subscription_id: UUID
    event_id: UUID
    type: str
    position: int | None
    run: int = 0
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a delivery is after an attempt."""

    attempt: Attempt
    state: str
    wait: timedelta | None
    """Until it is due again."""


async def add(tx: Transaction, new: Sequence[New]) -> list[UUID]:
    """Have these delivered: their ids. One of the same subscription, position and run stands already."""
    ids = [tx.app.new_id() for _ in new]
    await tx.execute(
        ADD,
        [each.organization_id for each in new],
        ids,
        [each.subscription_id for each in new],
        [each.run for each in new],
        [each.position for each in new],
        [each.event_id for each in new],
        [each.type for each in new],
        [each.body for each in new],
    )
    return ids


async def due(tx: Transaction, org: UUID, subscription_id: UUID, limit: int) -> list[Letter]:
    """Those that are due, the longest due first."""
    return [Letter(**row) for row in await tx.fetch(DUE, org, subscription_id, limit)]


async def hasten(tx: Transaction, subscription: Subscription) -> None:
    """Whoever changes or resumes a subscription need not wait for what had failed before."""
    await tx.execute(HASTEN, subscription.organization_id, subscription.id, subscription.updated_at)


async def record(tx: Transaction, org: UUID, results: Sequence[Result]) -> None:
    """What came of attempts; one that was decided meanwhile stays as it is."""
    tried = [each.attempt for each in results]
    await tx.execute(
        RECORD,
        org,
        [attempt.letter.id for attempt in tried],
        [each.state for each in results],
        [int(attempt.counts) for attempt in tried],
        [each.wait for each in results],
        [attempt.status for attempt in tried],
        [attempt.milliseconds for attempt in tried],
        [attempt.response for attempt in tried],
        [attempt.error for attempt in tried],
    )


async def next_due(tx: Transaction, org: UUID, subscription_id: UUID) -> datetime | None:
    """When an active subscription has something to deliver; None where nothing waits."""
    found: datetime | None = await tx.fetchval(NEXT_DUE, org, subscription_id)
    return found


async def log(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Those that fit, in this order, after the one with the key `after`. `filters`: column → value."""
    return await order.read(tx, LIST, Where(org).equal(filters), after, limit)


async def sweep(tx: Transaction, orgs: Sequence[UUID], age: timedelta, limit: int) -> bool:
    """Drop some of what is older: whether there may be more."""
    return await tx.execute(SWEEP, list(orgs), age, limit) == f"DELETE {limit}"
