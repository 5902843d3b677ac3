# ruff: noqa: S608 - constants of this file are put together, nothing else
"""The invoices of clients."""

from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_billing.domain.invoices import Invoice
from flotilla_billing.store.invoices import COLUMNS, invoice_of

# Drafts are nobody's yet.
INVOICES: Final = f"""
SELECT {COLUMNS} FROM invoices
WHERE organization_id = $1 AND state <> 'draft' AND ($3::uuid IS NULL OR id < $3)
    AND contact_id = ANY ((SELECT contact_ids FROM client_contacts
                           WHERE organization_id = $1 AND user_id = $2)::uuid[])
ORDER BY id DESC LIMIT $4"""


async def invoices(
    tx: Transaction, org: UUID, user_id: UUID, after: UUID | None, limit: int
) -> list[Invoice]:
    """Of the contacts that somebody is, the newest first."""
    return [invoice_of(row) for row in await tx.fetch(INVOICES, org, user_id, after, limit)]
