"""Whose contacts the clients of organizations are (`client_contacts`), in each service that shows clients something."""

from collections.abc import Sequence
from typing import Final

from flotilla.bus.envelope import Received
from flotilla.events.auth import Client
from flotilla.store.postgres import Transaction

KEEP: Final = """
INSERT INTO client_contacts (organization_id, user_id, contact_ids, sequence)
SELECT organization_id, user_id, contact_ids, sequence FROM jsonb_to_recordset($1::jsonb)
    AS t (organization_id uuid, user_id uuid, contact_ids uuid[], sequence bigint)
ON CONFLICT (organization_id, user_id) DO UPDATE
SET contact_ids = excluded.contact_ids, sequence = excluded.sequence
WHERE client_contacts.sequence < excluded.sequence"""


async def keep(tx: Transaction, batch: Sequence[Received[Client]]) -> None:
    """Take over what is newer than what is known; of a batch, the later of two events that tell of one person."""
    newest = {
        (event.org, event.data.user_id): event for event in sorted(batch, key=lambda each: each.sequence)
    }
    told = [
        {
            "organization_id": org,
            "user_id": user_id,
            "contact_ids": list(event.data.contact_ids),
            "sequence": event.sequence,
        }
        for (org, user_id), event in sorted(newest.items())
    ]
    await tx.execute(KEEP, told)
