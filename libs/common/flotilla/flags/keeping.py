"""The flags as auth tells them, in the bus's schema of every service."""

from collections.abc import Sequence
from typing import Final

from flotilla.bus.envelope import Received
from flotilla.events.privacy import FeatureFlagChanged
from flotilla.known import CHANNEL
from flotilla.store.postgres import Transaction

# Of who was erased nothing is kept again, however late it comes.
KEEP: Final = """
INSERT INTO known_flags (organization_id, id, key, environment, enabled, percentage, state, sequence)
SELECT t.* FROM jsonb_to_recordset($1) AS t (organization_id uuid, id uuid, key text, environment text,
    enabled boolean, percentage int, state text, sequence bigint)
WHERE NOT EXISTS (SELECT FROM forgotten f WHERE f.organization_id = t.organization_id AND f.id = t.organization_id)
ON CONFLICT (organization_id, id) DO UPDATE SET key = excluded.key, environment = excluded.environment,
    enabled = excluded.enabled, percentage = excluded.percentage, state = excluded.state, sequence = excluded.sequence
WHERE known_flags.sequence < excluded.sequence"""


async def keep(tx: Transaction, batch: Sequence[Received[FeatureFlagChanged]]) -> None:
    """Keep what is newer, and have every process read it."""
    flags = [
        {
            "organization_id": event.org,
            "id": event.data.flag_id,
            "key": event.data.key,
            "environment": event.data.environment,
            "enabled": event.data.enabled,
            "percentage": event.data.percentage,
            "state": event.data.state,
            "sequence": event.sequence,
        }
        for event in batch
    ]
    if await tx.execute(KEEP, flags) != "INSERT 0 0":
        await tx.notify(CHANNEL)
