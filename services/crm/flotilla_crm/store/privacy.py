"""Who a contact is, by all its ids; and what names it where no column does."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

# Up to what it was merged into, and down to all that was merged into that.
RESOLVE: Final = """
WITH RECURSIVE asked AS (
    SELECT DISTINCT org, contact FROM unnest($1::uuid[], $2::uuid[]) AS t (org, contact)
), same AS (
    SELECT org, contact AS asked, contact AS id FROM asked
    UNION
    SELECT s.org, s.asked, CASE WHEN g.id = s.id THEN g.merged_into ELSE g.id END
    FROM same s JOIN contact_tombstones g ON g.organization_id = s.org AND g.merged_into IS NOT NULL
        AND (g.id = s.id OR g.merged_into = s.id)
)
SELECT s.org, s.asked, s.id,
       ARRAY(SELECT i.id FROM channel_identities i
             WHERE i.organization_id = s.org AND i.contact_id = s.id ORDER BY i.id) AS identities,
       ARRAY(SELECT DISTINCT e.conversation_id FROM timeline_entries e
             WHERE e.organization_id = s.org AND e.contact_id = s.id AND e.conversation_id IS NOT NULL
             ORDER BY e.conversation_id) AS conversations
FROM same s
WHERE EXISTS (SELECT FROM contacts c WHERE c.organization_id = s.org AND c.id = s.id)
   OR EXISTS (SELECT FROM contact_tombstones g WHERE g.organization_id = s.org AND g.id = s.id)
ORDER BY s.org, s.asked, s.id"""
CLEAR_TASKS: Final = """
UPDATE tasks SET title = $3
WHERE organization_id = $1 AND (contact_id = ANY($2) OR conversation_id = ANY($4))"""
DROP_IMPORT_PARTS: Final = """
DELETE FROM import_parts p USING imports i
WHERE p.organization_id = $1 AND i.organization_id = $1 AND i.id = p.import_id AND i.state <> 'running'
  AND EXISTS (
      SELECT FROM contacts c WHERE c.organization_id = $1 AND c.id = ANY($2)
        AND (position(convert_to(nullif(c.email, ''), 'UTF8') IN p.body) > 0
             OR position(convert_to(nullif(c.phone, ''), 'UTF8') IN p.body) > 0))"""


@dataclass
class Known:
    """Every id of one person."""

    contacts: list[UUID] = field(default_factory=list)
    identities: list[UUID] = field(default_factory=list)
    conversations: list[UUID] = field(default_factory=list)


async def resolve(tx: Transaction, asked: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Known]:
    """Of (organization, contact); none of one that there never was."""
    found: dict[tuple[UUID, UUID], Known] = defaultdict(Known)
    for row in await tx.fetch(RESOLVE, [org for org, _ in asked], [contact for _, contact in asked]):
        known = found[row["org"], row["asked"]]
        known.contacts.append(row["id"])
        known.identities.extend(row["identities"])
        known.conversations.extend(row["conversations"])
    return dict(found)


async def clear_tasks(
    tx: Transaction, org: UUID, contacts: Sequence[UUID], conversations: Sequence[UUID], title: str
) -> None:
    """Tasks about them say nothing of them any more."""
    await tx.execute(CLEAR_TASKS, org, list(contacts), title, list(conversations))


async def drop_import_parts(tx: Transaction, org: UUID, contacts: Sequence[UUID]) -> int:
    """Files that wait to be read and name them by address or number: how many parts went."""
    return int((await tx.execute(DROP_IMPORT_PARTS, org, list(contacts))).split()[-1])
