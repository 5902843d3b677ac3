"""The timeline of contacts and companies."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.timeline import Entry

# CASE, not coalesce: Postgres does not know that coalesce tells nothing of the rows that a policy hides, and would look
# for the contact only after it had read them all.
APPEND: Final = """
INSERT INTO timeline_entries (organization_id, id, kind, at, reference_id, contact_id, company_id, conversation_id,
                              actor)
SELECT e.org, e.id, e.kind, e.at, e.reference, c.id, coalesce(e.company, c.company_id), e.conversation, e.actor
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[],
            $9::uuid[], $10::text[])
     AS e (org, id, kind, at, reference, contact, identity, company, conversation, actor)
LEFT JOIN channel_identities i ON i.organization_id = e.org AND i.id = e.identity
LEFT JOIN contacts c ON c.organization_id = e.org
                    AND c.id = CASE WHEN e.contact IS NULL THEN i.contact_id ELSE e.contact END
WHERE c.id IS NOT NULL OR e.company IS NOT NULL
ON CONFLICT (organization_id, id) DO NOTHING"""

LIST: Final = """
SELECT id, kind, at, reference_id, contact_id, company_id, conversation_id, actor FROM timeline_entries"""


async def append(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Write what is not written yet; entries about nobody known are left out."""
    if not entries:
        return
    await tx.execute(
        APPEND,
        [each.org for each in entries],
        [each.id for each in entries],
        [each.kind for each in entries],
        [each.at for each in entries],
        [each.reference_id for each in entries],
        [each.contact_id for each in entries],
        [each.identity_id for each in entries],
        [each.company_id for each in entries],
        [each.conversation_id for each in entries],
        [each.actor for each in entries],
    )


async def read(
    tx: Transaction,
    org: UUID,
    whose: Mapping[str, UUID],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Entries of a `contact_id` or a `company_id` in this order, after the one with the key `after`."""
    return await order.read(tx, LIST, Where(org).equal(whose), after, limit)
