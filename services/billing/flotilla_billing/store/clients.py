# ruff: noqa: S608 - constants of this file are put together, nothing else
"""The invoices of clients."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Transaction
from flotilla.store.where import Where

from flotilla_billing.domain.invoices import Invoice
from flotilla_billing.store.invoices import COLUMNS, invoice_of

INVOICES: Final = f"SELECT {COLUMNS} FROM invoices"
# Drafts are nobody's yet.
THEIRS: Final = """state <> 'draft' AND contact_id = ANY ((
    SELECT contact_ids FROM client_contacts WHERE organization_id = {} AND user_id = {})::uuid[])"""


async def invoices(
    tx: Transaction, org: UUID, user_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Invoice]:
    """Of the contacts that somebody is, `limit` in this order, after the one with the key `after`."""
    where = Where(org).also(THEIRS, org, user_id)
    return [invoice_of(row) for row in await order.read(tx, INVOICES, where, after, limit)]
