"""Who has unsubscribed."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.campaign import ContactUnsubscribed
from flotilla.store.postgres import Transaction

KEEP: Final = """
INSERT INTO opt_outs (organization_id, contact_id, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
ON CONFLICT (organization_id, contact_id) DO UPDATE SET sequence = excluded.sequence
WHERE opt_outs.sequence < excluded.sequence"""
OF: Final = """
SELECT o.organization_id, o.contact_id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, contact)
JOIN opt_outs o ON o.organization_id = t.org AND o.contact_id = t.contact"""

Key = tuple[UUID, UUID]
"""(organization, contact)."""


async def keep(tx: Transaction, batch: Sequence[Received[ContactUnsubscribed]]) -> None:
    """Know who they are."""
    contacts = [event.data.contact_id for event in batch]
    await tx.execute(KEEP, [event.org for event in batch], contacts, [event.sequence for event in batch])


async def of(tx: Transaction, contacts: Iterable[Key]) -> set[Key]:
    """Those of these who have."""
    keys = sorted(contacts)
    rows = await tx.fetch(OF, [org for org, _ in keys], [id_ for _, id_ in keys])
    return {(row["organization_id"], row["contact_id"]) for row in rows}
