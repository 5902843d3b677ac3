"""Enrolments of people whom crm found to be somebody else."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_campaign.domain.enrolments import Enrolment

SEQUENCES_OF: Final = """
SELECT sequence_id FROM enrolments WHERE organization_id = $1 AND contact_id = $2 AND ended_at IS NULL"""
HAND_OVER: Final = "UPDATE enrolments SET contact_id = $3 WHERE organization_id = $1 AND id = $2"


async def sequences_of(tx: Transaction, org: UUID, contact_id: UUID) -> set[UUID]:
    """The sequences in which a person is now."""
    return {row["sequence_id"] for row in await tx.fetch(SEQUENCES_OF, org, contact_id)}


async def hand_over(tx: Transaction, enrolment: Enrolment, contact_id: UUID) -> Enrolment:
    """Make it another's; the caller writes how it stands."""
    await tx.execute(HAND_OVER, enrolment.organization_id, enrolment.id, contact_id)
    return replace(enrolment, contact_id=contact_id)
