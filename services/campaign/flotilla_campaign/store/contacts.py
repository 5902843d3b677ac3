"""Enrolments of people whom crm found to be somebody else."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_campaign.domain.enrolments import Enrolment
from flotilla_campaign.store.people import Key

SEQUENCES_OF: Final = """
SELECT e.organization_id, e.contact_id, e.sequence_id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, contact)
JOIN enrolments e ON e.organization_id = t.org AND e.contact_id = t.contact WHERE e.ended_at IS NULL"""
HAND_OVER: Final = """
UPDATE enrolments AS e SET contact_id = t.contact
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (org, id, contact)
WHERE e.organization_id = t.org AND e.id = t.id"""


async def sequences_of(tx: Transaction, contacts: Iterable[Key]) -> dict[Key, set[UUID]]:
    """The sequences in which these people are now."""
    keys = sorted(set(contacts))
    found: dict[Key, set[UUID]] = {}
    for row in await tx.fetch(SEQUENCES_OF, [org for org, _ in keys], [id_ for _, id_ in keys]):
        found.setdefault((row["organization_id"], row["contact_id"]), set()).add(row["sequence_id"])
    return found


async def hand_over(tx: Transaction, given: Sequence[Enrolment]) -> None:
    """Make these those of the contacts that they name now; the caller writes how they stand."""
    rows = [(each.organization_id, each.id, each.contact_id) for each in given]
    await tx.execute(HAND_OVER, *[list(column) for column in zip(*rows, strict=True)])
