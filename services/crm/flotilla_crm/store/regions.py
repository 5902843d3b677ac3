"""Contacts whose telephone number is new, as the database notes them."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Database, Transaction

WAITING: Final = "SELECT DISTINCT organization_id FROM region_checks LIMIT $1"
TAKE: Final = """
WITH taken AS (
    DELETE FROM region_checks WHERE organization_id = $1 AND position IN (
        SELECT position FROM region_checks WHERE organization_id = $1 ORDER BY position LIMIT $2 FOR UPDATE)
    RETURNING contact_id, had_one
)
SELECT contact_id, bool_or(had_one) AS had_one, count(*) AS notes FROM taken GROUP BY contact_id"""
NUMBERS: Final = """
SELECT id, sequence, phone FROM contacts WHERE organization_id = $1 AND id = ANY($2::uuid[]) ORDER BY id"""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A contact's number, and in which of its states."""

    id: UUID
    sequence: int
    phone: str | None
    had_one: bool
    """Whether there was another before."""


async def waiting(db: Database, limit: int) -> list[UUID]:
    """Organizations of which contacts are noted."""
    return sorted(row["organization_id"] for row in await db.fetch(WAITING, limit))


async def take(tx: Transaction, org: UUID, limit: int) -> tuple[list[Numbered], int]:
    """Take notes away: whom they are about, of those who are still there, and how many they were."""
    noted = await tx.fetch(TAKE, org, limit)
    had_one = {row["contact_id"]: row["had_one"] for row in noted}
    rows = await tx.fetch(NUMBERS, org, list(had_one)) if noted else []
    found = [Numbered(row["id"], row["sequence"], row["phone"], had_one[row["id"]]) for row in rows]
    return found, sum(row["notes"] for row in noted)
