"""Who has unsubscribed, and organizations' zones."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.auth import Organization
from flotilla.store.postgres import Row, Transaction

# Who enrols, sends to or suppresses a person holds them: so nothing is sent after a suppression was committed.
HOLD: Final = (
    "SELECT pg_advisory_xact_lock(hashtextextended('contact ' || $1::uuid::text || $2::uuid::text, 0))"
)
SUPPRESS: Final = """
INSERT INTO suppressions (organization_id, contact_id, reason) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING unsubscribed_at"""
IS_SUPPRESSED: Final = (
    "SELECT EXISTS (SELECT FROM suppressions WHERE organization_id = $1 AND contact_id = $2)"
)
READ: Final = """
SELECT contact_id, reason, unsubscribed_at FROM suppressions WHERE organization_id = $1 AND contact_id = $2"""
LIST: Final = """
SELECT contact_id, reason, unsubscribed_at FROM suppressions WHERE organization_id = $1 AND contact_id > $2
ORDER BY contact_id LIMIT $3"""

KEEP_ZONES: Final = """
INSERT INTO organization_zones (organization_id, time_zone, sequence)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[])
ON CONFLICT (organization_id) DO UPDATE SET time_zone = excluded.time_zone, sequence = excluded.sequence
WHERE organization_zones.sequence < excluded.sequence"""
ZONE: Final = "SELECT time_zone FROM organization_zones WHERE organization_id = $1"


async def hold(tx: Transaction, contacts: Iterable[tuple[UUID, UUID]]) -> None:
    """Hold these people, of (organization, contact), until the commit; before any of their enrolments."""
    for org, contact_id in sorted(set(contacts)):
        await tx.execute(HOLD, org, contact_id)


async def suppress(tx: Transaction, org: UUID, contact_id: UUID, reason: str) -> datetime | None:
    """Write that they have unsubscribed: when; none where it was written before."""
    at: datetime | None = await tx.fetchval(SUPPRESS, org, contact_id, reason)
    return at


async def is_suppressed(tx: Transaction, org: UUID, contact_id: UUID) -> bool:
    """Whether nothing may be sent to them."""
    return bool(await tx.fetchval(IS_SUPPRESSED, org, contact_id))


async def read(tx: Transaction, org: UUID, contact_id: UUID) -> Row | None:
    """Since when, and why."""
    return await tx.fetchrow(READ, org, contact_id)


async def listing(tx: Transaction, org: UUID, after: UUID, limit: int) -> list[Row]:
    """All who have unsubscribed."""
    return await tx.fetch(LIST, org, after, limit)


async def keep_zones(tx: Transaction, batch: Sequence[Received[Organization]]) -> None:
    """Know the organizations' zones, as they were told last."""
    zones = [event.data.time_zone for event in batch]
    await tx.execute(KEEP_ZONES, [event.org for event in batch], zones, [event.sequence for event in batch])


async def zone(tx: Transaction, org: UUID) -> str | None:
    """The organization's zone; none where it has not been told."""
    found: str | None = await tx.fetchval(ZONE, org)
    return found
