"""Rows of subscriptions and of how they fare."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_integrations.partners.domain import LISTENING, Health, Kind, State, Subscription

COUNT: Final = "SELECT count(*) FROM partner_subscriptions WHERE organization_id = $1 AND state <> 'deleted'"
ADD: Final = """
INSERT INTO partner_subscriptions (organization_id, id, kind, name, types, filters, personal_data, org_wide, url,
                                   state, sealed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *"""
READ: Final = (
    "SELECT * FROM partner_subscriptions WHERE organization_id = $1 AND id = $2 AND state <> 'deleted'"
)
# Not its key: deliveries may be added meanwhile.
LOCK: Final = READ + " FOR NO KEY UPDATE"
READ_ANY: Final = "SELECT * FROM partner_subscriptions WHERE organization_id = $1 AND id = $2"
LIST: Final = "SELECT * FROM partner_subscriptions"
LISTENERS: Final = """
SELECT * FROM partner_subscriptions WHERE organization_id = ANY($1) AND state = ANY($2)"""
SAVE: Final = """
UPDATE partner_subscriptions SET name = $3, types = $4, filters = $5, personal_data = $6, url = $7, state = $8,
    reason = $9, sealed = $10, sequence = sequence + 1, updated_at = now()
WHERE organization_id = $1 AND id = $2 RETURNING *"""
NEXT_RUN: Final = """
UPDATE partner_subscriptions SET runs = runs + 1 WHERE organization_id = $1 AND id = $2 RETURNING runs"""
# Only where nobody has changed it since that was found.
DISABLE: Final = """
UPDATE partner_subscriptions SET state = 'disabled', reason = $4, sequence = sequence + 1, updated_at = now()
WHERE organization_id = $1 AND id = $2 AND sequence = $3 AND state = 'active' RETURNING *"""
READY: Final = """
UPDATE partner_subscriptions SET state = 'active', sequence = sequence + 1, updated_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'preparing' RETURNING *"""

HEALTH: Final = """
SELECT h.* FROM unnest($2::uuid[]) AS t (id)
JOIN partner_health h ON h.organization_id = $1 AND h.subscription_id = t.id"""
KEEP_HEALTH: Final = """
INSERT INTO partner_health (organization_id, subscription_id, failures, failing_since, rest_until, delivered_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (organization_id, subscription_id) DO UPDATE
SET failures = excluded.failures, failing_since = excluded.failing_since, rest_until = excluded.rest_until,
    delivered_at = excluded.delivered_at"""

_FIELDS: Final = tuple(Subscription.__slots__)


def subscription_of(row: Row) -> Subscription:
    """The subscription of a row."""
    values = {name: row[name] for name in _FIELDS}
    return Subscription(**{**values, "kind": Kind(row["kind"]), "state": State(row["state"])})


async def one(tx: Transaction, sql: str, *arguments: Any) -> Subscription | None:
    """The subscription that a statement reads or writes; None where it finds none."""
    row = await tx.fetchrow(sql, *arguments)
    return subscription_of(row) if row else None


async def listening(tx: Transaction, orgs: Iterable[UUID]) -> list[Subscription]:
    """Those of these organizations for which what happens is kept."""
    rows = await tx.fetch(LISTENERS, sorted(orgs), list(LISTENING))
    return [subscription_of(row) for row in rows]


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Subscription]:
    """Those that are there, in this order, after the one with the key `after`."""
    where = Where(org).also("state <> 'deleted'")
    return [subscription_of(row) for row in await order.read(tx, LIST, where, after, limit)]


async def add(tx: Transaction, new: Subscription) -> Subscription:
    """A new one."""
    row = await tx.fetchrow(
        ADD,
        new.organization_id,
        new.id,
        new.kind,
        new.name,
        new.types,
        new.filters,
        new.personal_data,
        new.org_wide,
        new.url,
        new.state,
        new.sealed,
    )
    assert row is not None
    return subscription_of(row)


async def save(tx: Transaction, each: Subscription) -> Subscription:
    """As it is now; the caller holds it."""
    row = await tx.fetchrow(
        SAVE,
        each.organization_id,
        each.id,
        each.name,
        each.types,
        each.filters,
        each.personal_data,
        each.url,
        each.state,
        each.reason,
        each.sealed,
    )
    assert row is not None
    return subscription_of(row)


async def health(tx: Transaction, org: UUID, ids: Sequence[UUID]) -> dict[UUID, Health]:
    """How these fare, by id; none for one that never had a delivery."""
    rows = await tx.fetch(HEALTH, org, list(ids))
    return {row["subscription_id"]: _health_of(row) for row in rows}


def _health_of(row: Row) -> Health:
    return Health(row["failures"], row["failing_since"], row["rest_until"], row["delivered_at"])


async def keep_health(tx: Transaction, org: UUID, id_: UUID, now: Health) -> None:
    """As it is after a turn."""
    await tx.execute(KEEP_HEALTH, org, id_, now.failures, now.failing_since, now.rest_until, now.delivered_at)
