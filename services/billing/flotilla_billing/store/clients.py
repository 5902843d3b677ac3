# ruff: noqa: S608 - constants of this file are put together, nothing else
"""Whose contacts clients are, and their invoices."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_billing.domain.invoices import Invoice
from flotilla_billing.store.invoices import COLUMNS, invoice_of

KEEP: Final = """
INSERT INTO client_contacts (organization_id, user_id, contact_ids, sequence)
SELECT organization_id, user_id, contact_ids, sequence FROM jsonb_to_recordset($1::jsonb)
    AS t (organization_id uuid, user_id uuid, contact_ids uuid[], sequence bigint)
ON CONFLICT (organization_id, user_id) DO UPDATE
SET contact_ids = excluded.contact_ids, sequence = excluded.sequence
WHERE client_contacts.sequence < excluded.sequence"""

# Drafts are nobody's yet.
INVOICES: Final = f"""
SELECT {COLUMNS} FROM invoices
WHERE organization_id = $1 AND state <> 'draft' AND ($3::uuid IS NULL OR id < $3)
    AND contact_id = ANY ((SELECT contact_ids FROM client_contacts
                           WHERE organization_id = $1 AND user_id = $2)::uuid[])
ORDER BY id DESC LIMIT $4"""


async def keep(tx: Transaction, told: Sequence[tuple[UUID, UUID, list[UUID], int]]) -> None:
    """(organization, person, contacts, sequence) of those who are newer than what is known."""
    names = ("organization_id", "user_id", "contact_ids", "sequence")
    await tx.execute(KEEP, [dict(zip(names, each, strict=True)) for each in told])


async def invoices(
    tx: Transaction, org: UUID, user_id: UUID, after: UUID | None, limit: int
) -> list[Invoice]:
    """Of the contacts that somebody is, the newest first."""
    return [invoice_of(row) for row in await tx.fetch(INVOICES, org, user_id, after, limit)]
