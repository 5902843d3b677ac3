"""What auth has of people beside their rows: invitations by address, and the ways in."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

FORGET: Final = {
    "invitations": """
DELETE FROM invitations i USING users u
WHERE i.organization_id = $1 AND u.organization_id = $1 AND u.id = ANY($2) AND i.email = u.email""",
    "memberships": "DELETE FROM memberships WHERE organization_id = $1 AND user_id = ANY($2)",
}
ALL: Final = "SELECT id FROM users WHERE organization_id = $1"
FORGET_CREDENTIALS: Final = """
DELETE FROM credentials c WHERE c.user_id = ANY($1)
  AND NOT EXISTS (SELECT FROM memberships m WHERE m.user_id = c.user_id)"""


async def forget(tx: Transaction, org: UUID, users: Sequence[UUID]) -> dict[str, int]:
    """Before their rows are cleared: how many of each went."""
    counts = {
        table: int((await tx.execute(statement, org, list(users))).split()[-1])
        for table, statement in FORGET.items()
    }
    counts["credentials"] = int((await tx.execute(FORGET_CREDENTIALS, list(users))).split()[-1])
    return {table: count for table, count in counts.items() if count}


async def forget_all(tx: Transaction, org: UUID) -> dict[str, int]:
    """The same of everybody in an organization."""
    return await forget(tx, org, [row["id"] for row in await tx.fetch(ALL, org)])
