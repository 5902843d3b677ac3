"""How long organizations keep what, as auth tells every service: in the bus's schema of each."""

from collections.abc import Sequence
from typing import Final

from flotilla.bus.envelope import Received
from flotilla.events.privacy import RetentionChanged
from flotilla.store.postgres import Transaction

# Whoever was erased meanwhile is not taken up again. What changed is swept by at the next turn.
KEEP: Final = """
INSERT INTO retained (organization_id, periods, held, sequence, bound_days, bound_from)
SELECT t.* FROM jsonb_to_recordset($1) AS t (organization_id uuid, periods jsonb, held text[], sequence bigint,
    bound_days integer, bound_from timestamptz)
WHERE NOT EXISTS (SELECT FROM forgotten f WHERE f.organization_id = t.organization_id AND f.id = t.organization_id)
ON CONFLICT (organization_id) DO UPDATE SET periods = excluded.periods, held = excluded.held,
    sequence = excluded.sequence, bound_days = excluded.bound_days, bound_from = excluded.bound_from, swept_at = NULL
WHERE retained.sequence < excluded.sequence"""


async def keep(tx: Transaction, batch: Sequence[Received[RetentionChanged]]) -> None:
    """Keep what is newer."""
    settings = [
        {
            "organization_id": event.org,
            "periods": event.data.periods,
            "held": event.data.held,
            "sequence": event.sequence,
            "bound_days": event.data.bound_days,
            "bound_from": event.data.bound_from,
        }
        for event in batch
    ]
    await tx.execute(KEEP, settings)
