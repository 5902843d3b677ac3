"""What keeps deals from being won."""

from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

HOLD: Final = """
INSERT INTO holds (organization_id, id, deal_id, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"""
RELEASE: Final = "DELETE FROM holds WHERE organization_id = $1 AND id = $2 AND deal_id = $3"
OF_DEAL: Final = """
SELECT id, reason, held_at FROM holds WHERE organization_id = $1 AND deal_id = $2 ORDER BY id LIMIT 100"""


async def hold(tx: Transaction, org: UUID, hold_id: UUID, deal_id: UUID, reason: str) -> None:
    """Hold it, once."""
    await tx.execute(HOLD, org, hold_id, deal_id, reason)


async def release(tx: Transaction, org: UUID, hold_id: UUID, deal_id: UUID) -> None:
    """Hold it no more; nothing where it was not held."""
    await tx.execute(RELEASE, org, hold_id, deal_id)


async def of_deal(tx: Transaction, org: UUID, deal_id: UUID) -> list[Row]:
    """The oldest first, a hundred at most."""
    return await tx.fetch(OF_DEAL, org, deal_id)
