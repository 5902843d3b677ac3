"""Who is in which segment."""

from collections.abc import Sequence
from typing import Final

from flotilla.bus.envelope import Received
from flotilla.events.crm import SegmentEntered, SegmentMembership
from flotilla.store.postgres import Transaction

KEEP: Final = """
INSERT INTO segment_members (organization_id, id, segment_id, contact_id, inside, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::boolean[], $6::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE SET inside = excluded.inside, sequence = excluded.sequence
WHERE segment_members.sequence < excluded.sequence"""


async def keep(tx: Transaction, batch: Sequence[Received[SegmentMembership]]) -> None:
    """Know it as it was told last."""
    await tx.execute(
        KEEP,
        [event.org for event in batch],
        [event.data.membership_id for event in batch],
        [event.data.segment_id for event in batch],
        [event.data.contact_id for event in batch],
        [isinstance(event.data, SegmentEntered) for event in batch],
        [event.sequence for event in batch],
    )
