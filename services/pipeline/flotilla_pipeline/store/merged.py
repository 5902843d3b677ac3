"""Contacts that were merged or deleted, and the deals with them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.crm import ContactDeleted, ContactMerged
from flotilla.store.postgres import Transaction

from flotilla_pipeline.domain.deals import Deal
from flotilla_pipeline.store.deals import COLUMNS, deal_of

BURY: Final = """
INSERT INTO contacts (organization_id, id, sequence, gone, merged_into)
SELECT org, id, sequence, true, merged_into
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[]) AS t (org, id, sequence, merged_into)
ON CONFLICT (organization_id, id) DO UPDATE
SET sequence = excluded.sequence, name = NULL, company_id = NULL, gone = true, merged_into = excluded.merged_into
WHERE contacts.sequence < excluded.sequence"""

CURRENT: Final = """
SELECT c.organization_id, c.id, c.sequence FROM contacts c
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON c.organization_id = t.org AND c.id = t.id"""

LEAD_ON: Final = f"""
WITH theirs AS MATERIALIZED (
    SELECT d.id AS deal_id FROM deals d
    WHERE d.organization_id = $1 AND d.contact_id = $2
      AND NOT (d.state IN ('open', 'won') AND EXISTS (
          SELECT FROM deals o WHERE o.organization_id = $1 AND o.pipeline_id = d.pipeline_id AND o.contact_id = $3
          AND o.state IN ('open', 'won')))
    ORDER BY d.id FOR UPDATE
), kept AS (
    INSERT INTO merged_deals (organization_id, merge_id, deal_id) SELECT $1, $4, deal_id FROM theirs
)
UPDATE deals SET sequence = sequence + 1, contact_id = $3 FROM theirs
WHERE organization_id = $1 AND id = deal_id RETURNING {COLUMNS}"""  # noqa: S608

# A deal that somebody gave to another contact since stays there.
LEAD_BACK: Final = f"""
WITH theirs AS (
    DELETE FROM merged_deals WHERE organization_id = $1 AND merge_id = $4 RETURNING deal_id
)
UPDATE deals SET sequence = sequence + 1, contact_id = $2 FROM theirs
WHERE organization_id = $1 AND id = deal_id AND contact_id = $3 RETURNING {COLUMNS}"""  # noqa: S608

# Whoever asks to be forgotten, perhaps before anybody here has heard of it, has the deal's words forgotten too.
LET_GO: Final = f"""
UPDATE deals SET sequence = sequence + 1, contact_id = NULL, let_go_of = $2
WHERE organization_id = $1 AND contact_id = $2
RETURNING {COLUMNS}"""  # noqa: S608


async def bury(tx: Transaction, batch: Sequence[Received[ContactMerged | ContactDeleted]]) -> None:
    """Leave a tombstone of each that is newer than what is known."""
    into = [event.data.into_contact_id if isinstance(event.data, ContactMerged) else None for event in batch]
    ids = [event.data.contact_id for event in batch]
    await tx.execute(BURY, [event.org for event in batch], ids, [event.sequence for event in batch], into)


async def current(tx: Transaction, batch: Sequence[Received[ContactMerged]]) -> set[tuple[UUID, UUID, int]]:
    """(organization, contact, sequence) as the copies have it now."""
    orgs, ids = [event.org for event in batch], [event.data.contact_id for event in batch]
    rows = await tx.fetch(CURRENT, orgs, ids)
    return {(row["organization_id"], row["id"], row["sequence"]) for row in rows}


async def lead_on(tx: Transaction, org: UUID, loser: UUID, winner: UUID, merge_id: UUID) -> list[Deal]:
    """Give the deals of one contact to another, and remember which: the deals."""
    return [deal_of(row) for row in await tx.fetch(LEAD_ON, org, loser, winner, merge_id)]


async def lead_back(tx: Transaction, org: UUID, loser: UUID, winner: UUID, merge_id: UUID) -> list[Deal]:
    """Give back the deals that a merge had moved: the deals."""
    return [deal_of(row) for row in await tx.fetch(LEAD_BACK, org, loser, winner, merge_id)]


async def let_go(tx: Transaction, org: UUID, contact_id: UUID) -> list[Deal]:
    """Leave the deals of a contact with nobody: the deals."""
    return [deal_of(row) for row in await tx.fetch(LET_GO, org, contact_id)]
