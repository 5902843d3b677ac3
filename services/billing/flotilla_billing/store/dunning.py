"""What is owed for subscriptions, and who is told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

ADD: Final = """
INSERT INTO overdue_bills (organization_id, id, amount_minor, currency, failed_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING"""
PAID: Final = "DELETE FROM overdue_bills WHERE organization_id = $1 AND id = $2"
FORGET: Final = "DELETE FROM overdue_bills WHERE organization_id = $1"
OWED: Final = """
SELECT id, amount_minor, currency, failed_at FROM overdue_bills WHERE organization_id = $1 ORDER BY failed_at, id"""

KEEP_OWNERS: Final = """
INSERT INTO owners AS kept (organization_id, id, sequence, is_owner)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::boolean[]) AS t (org, id, sequence, is_owner)
ORDER BY org, id
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = excluded.sequence, is_owner = excluded.is_owner
WHERE kept.sequence < excluded.sequence"""
OWNERS: Final = "SELECT id FROM owners WHERE organization_id = $1 AND is_owner ORDER BY id"


async def add(
    tx: Transaction,
    org: UUID,
    bill_id: str,
    failed_at: datetime,
    amount_minor: int | None,
    currency: str | None,
) -> None:
    """A bill was not paid; one that is known stays as it is."""
    await tx.execute(ADD, org, bill_id, amount_minor, currency, failed_at)


async def paid(tx: Transaction, org: UUID, bill_id: str) -> None:
    """It is paid now, or never was owed."""
    await tx.execute(PAID, org, bill_id)


async def forget(tx: Transaction, org: UUID) -> None:
    """Nothing is owed any more."""
    await tx.execute(FORGET, org)


async def owed(tx: Transaction, org: UUID) -> list[Row]:
    """Bills that are overdue, the oldest first: (id, amount_minor, currency, failed_at)."""
    return await tx.fetch(OWED, org)


async def keep_owners(tx: Transaction, people: Sequence[tuple[UUID, UUID, int, bool]]) -> None:
    """Newer words of people: organization, person, sequence, whether they own it now."""
    await tx.execute(KEEP_OWNERS, *(list(column) for column in zip(*people, strict=True)))


async def owners(tx: Transaction, org: UUID) -> list[UUID]:
    """Who owns the organization."""
    return [row["id"] for row in await tx.fetch(OWNERS, org)]
