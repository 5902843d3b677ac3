"""Who has unsubscribed, and organizations' zones."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.auth import Organization
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

# Who enrols, sends to or suppresses a person holds them: so nothing is sent after a suppression was committed.
HOLD: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('contact ' || org::text || contact::text, 0))
FROM unnest($1::uuid[], $2::uuid[]) AS t (org, contact)"""
SUPPRESS: Final = """
INSERT INTO suppressions (organization_id, contact_id, reason)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[])
ON CONFLICT (organization_id, contact_id) DO UPDATE SET reason = excluded.reason, unsubscribed_at = now()
WHERE suppressions.reason = 'bounced' AND excluded.reason <> 'bounced'
RETURNING organization_id, contact_id, unsubscribed_at"""
SUPPRESSED: Final = """
SELECT s.organization_id, s.contact_id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, contact)
JOIN suppressions s ON s.organization_id = t.org AND s.contact_id = t.contact"""
READ: Final = """
SELECT contact_id, reason, unsubscribed_at FROM suppressions WHERE organization_id = $1 AND contact_id = $2"""
LIST: Final = "SELECT contact_id, reason, unsubscribed_at FROM suppressions"

KEEP_ZONES: Final = """
INSERT INTO organization_zones (organization_id, time_zone, sequence)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])
ON CONFLICT (organization_id) DO UPDATE SET time_zone = excluded.time_zone, sequence = excluded.sequence
WHERE organization_zones.sequence < excluded.sequence"""
ZONES: Final = """
SELECT organization_id, time_zone FROM organization_zones WHERE organization_id = ANY($1)"""


Key = tuple[UUID, UUID]
"""(organization, contact)."""


async def hold(tx: Transaction, contacts: Iterable[Key]) -> None:
    """Hold these people, of (organization, contact), until the commit; before any of their enrolments."""
    keys = sorted(set(contacts))
    if keys:
        await tx.execute(HOLD, [org for org, _ in keys], [contact_id for _, contact_id in keys])


async def suppress(tx: Transaction, reasons: Mapping[Key, str]) -> dict[Key, datetime]:
    """Write why nothing is sent to these people any more: when, of those of whom that was not written before.

    Who could only not be reached may still say that they want no more.
    """
    keys = sorted(reasons)
    columns = [org for org, _ in keys], [contact_id for _, contact_id in keys], [reasons[key] for key in keys]
    rows = await tx.fetch(SUPPRESS, *columns)
    return {(row["organization_id"], row["contact_id"]): row["unsubscribed_at"] for row in rows}


async def suppressed(tx: Transaction, contacts: Iterable[Key]) -> set[Key]:
    """Those of these (organization, contact) to whom nothing may be sent."""
    keys = sorted(set(contacts))
    rows = await tx.fetch(SUPPRESSED, [org for org, _ in keys], [contact_id for _, contact_id in keys])
    return {(row["organization_id"], row["contact_id"]) for row in rows}


async def read(tx: Transaction, org: UUID, contact_id: UUID) -> Row | None:
    """Since when, and why."""
    return await tx.fetchrow(READ, org, contact_id)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All who have unsubscribed, in this order, after the one with the key `after`."""
    return await order.read(tx, LIST, Where(org), after, limit)


async def keep_zones(tx: Transaction, batch: Sequence[Received[Organization]]) -> None:
    """Know the organizations' zones, as they were told last."""
    zones = [event.data.time_zone for event in batch]
    await tx.execute(KEEP_ZONES, [event.org for event in batch], zones, [event.sequence for event in batch])


async def zones(tx: Transaction, orgs: Iterable[UUID]) -> dict[UUID, str]:
    """Their zones, of those organizations that have told theirs."""
    wanted = list(orgs)
    rows = await tx.fetch(ZONES, wanted) if wanted else []
    return {row["organization_id"]: row["time_zone"] for row in rows}
