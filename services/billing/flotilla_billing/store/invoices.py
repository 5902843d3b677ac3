"""Invoices, their numbers and the requests for them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_billing.domain.invoices import Invoice, InvoiceState, Party
from flotilla_billing.domain.lines import restored, stored

COLUMNS: Final = (
    "organization_id, id, sequence, state, series, year, number, request_id, contact_id, company_id, deal_id, customer,"
    " issuer, currency, lines, paid_minor, note, locale, due_in_days, issued_on, due_on, issued_at, void_reason,"
    " created_at"
)

# Sorted, so that two transactions lock the series in the same order.
ALLOCATE: Final = """
INSERT INTO number_series (organization_id, series, year, last)
SELECT org, series, year, wanted FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[])
     AS t (org, series, year, wanted) ORDER BY org, series, year
ON CONFLICT (organization_id, series, year) DO UPDATE SET last = number_series.last + excluded.last
RETURNING organization_id, series, year, last"""

INSERT: Final = f"""
INSERT INTO invoices (organization_id, id, state, series, year, number, request_id, contact_id, company_id, deal_id,
    customer, issuer, currency, lines, total_minor, note, locale, due_in_days, issued_on, due_on, issued_at)
SELECT organization_id, id, state, series, year, number, request_id, contact_id, company_id, deal_id, customer, issuer,
    currency, lines, total_minor, note, locale, due_in_days, issued_on, due_on,
    CASE WHEN number IS NOT NULL THEN now() END
FROM jsonb_to_recordset($1::jsonb) AS t (organization_id uuid, id uuid, state text, series text, year int,
    number bigint, request_id uuid, contact_id uuid, company_id uuid, deal_id uuid, customer jsonb, issuer jsonb,
    currency text, lines jsonb, total_minor bigint, note text, locale text, due_in_days int, issued_on date,
    due_on date)
RETURNING {COLUMNS}"""  # noqa: S608

ISSUE: Final = f"""
UPDATE invoices SET sequence = sequence + 1, state = 'issued', year = $3, number = $4, issued_on = $5, due_on = $6,
                    issuer = $7, issued_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'draft' RETURNING {COLUMNS}"""  # noqa: S608

PAID: Final = f"""
UPDATE invoices SET sequence = sequence + 1, state = $3, paid_minor = $4
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608

VOID: Final = f"""
UPDATE invoices SET sequence = sequence + 1, state = 'void', void_reason = $3
WHERE organization_id = $1 AND id = $2 RETURNING {COLUMNS}"""  # noqa: S608

READ: Final = f"SELECT {COLUMNS} FROM invoices WHERE organization_id = $1 AND id = $2"  # noqa: S608

# Sorted, so that two batches claim in the same order; waits for whoever is claiming the same.
CLAIM_REQUESTS: Final = """
INSERT INTO invoice_requests (organization_id, id, state, reason, deal_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[]) AS t (org, id, state, reason, deal)
ORDER BY org, id
ON CONFLICT (organization_id, id) DO NOTHING RETURNING *"""
READ_REQUESTS: Final = """
SELECT r.* FROM invoice_requests r
JOIN unnest($1::uuid[], $2::uuid[]) AS asked (org, id) ON r.organization_id = asked.org AND r.id = asked.id"""


@dataclass(frozen=True, slots=True)
class Request:
    """A wish for an invoice, or the word that none is wanted, and what became of it."""

    organization_id: UUID
    id: UUID
    state: str
    """`issued`, `failed` or `cancelled`."""
    reason: str | None = None
    deal_id: UUID | None = None
    created_at: datetime | None = None

    @property
    def key(self) -> tuple[UUID, UUID]:
        """(organization, id)."""
        return self.organization_id, self.id


async def allocate(
    tx: Transaction, wanted: Mapping[tuple[UUID, str, int], int]
) -> dict[tuple[UUID, str, int], int]:
    """The first of as many numbers as are wanted in each (organization, series, year); held until the commit."""
    keys = sorted(wanted)
    rows = await tx.fetch(
        ALLOCATE,
        [key[0] for key in keys],
        [key[1] for key in keys],
        [key[2] for key in keys],
        [wanted[key] for key in keys],
    )
    found = {(row["organization_id"], row["series"], row["year"]): row["last"] for row in rows}
    return {key: last - wanted[key] + 1 for key, last in found.items()}


async def add(tx: Transaction, invoices: Sequence[Invoice]) -> list[Invoice]:
    """Write new invoices."""
    rows = await tx.fetch(INSERT, [_row(invoice) for invoice in invoices])
    written = {invoice.id: invoice for invoice in map(invoice_of, rows)}
    return [written[invoice.id] for invoice in invoices]


async def read(tx: Transaction, org: UUID, invoice_id: UUID, *, lock: bool = False) -> Invoice | None:
    """The invoice, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE" * lock, org, invoice_id)
    return None if row is None else invoice_of(row)


async def change(tx: Transaction, sql: str, *arguments: Any) -> Invoice:
    """The invoice that a statement changes; it is there, for it was locked."""
    row = await tx.fetchrow(sql, *arguments)
    assert row is not None
    return invoice_of(row)


async def listing(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Invoice]:
    """Invoices that fit, in this order, those after the one with the key `after`. `filters`: column → value."""
    select = f"SELECT {COLUMNS} FROM invoices"  # noqa: S608
    rows = await order.read(tx, select, Where(org).equal(filters), after, limit)
    return [invoice_of(row) for row in rows]


async def claim(tx: Transaction, requests: Sequence[Request]) -> dict[tuple[UUID, UUID], Request]:
    """Write those that are heard of for the first time: these, by key."""
    rows = await tx.fetch(
        CLAIM_REQUESTS,
        [each.organization_id for each in requests],
        [each.id for each in requests],
        [each.state for each in requests],
        [each.reason for each in requests],
        [each.deal_id for each in requests],
    )
    return {request.key: request for request in (Request(**row) for row in rows)}


async def requests(tx: Transaction, asked: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Request]:
    """Those of these (organization, id) that were heard of, by key."""
    if not asked:
        return {}
    rows = await tx.fetch(READ_REQUESTS, [org for org, _ in asked], [id_ for _, id_ in asked])
    return {request.key: request for request in (Request(**row) for row in rows)}


def invoice_of(row: Row) -> Invoice:
    """The invoice of a row."""
    values = dict(row)
    values["state"] = InvoiceState(values["state"])
    values["customer"], values["issuer"] = Party(**values["customer"]), Party(**values["issuer"])
    values["lines"] = restored(values["lines"])
    return Invoice(**values)


def party(given: Party) -> dict[str, str]:
    """As it is kept."""
    return asdict(given)


def _row(invoice: Invoice) -> dict[str, Any]:
    own = ("series", "year", "number", "currency", "note", "locale", "due_in_days")
    ids = ("organization_id", "id", "request_id", "contact_id", "company_id", "deal_id")
    row: dict[str, Any] = {name: getattr(invoice, name) for name in (*own, *ids)}
    dates: dict[str, date | None] = {"issued_on": invoice.issued_on, "due_on": invoice.due_on}
    row |= dates
    row |= {"state": invoice.state, "lines": stored(invoice.lines), "total_minor": invoice.totals.total}
    row |= {"customer": party(invoice.customer), "issuer": party(invoice.issuer)}
    built: dict[str, Any] = msgspec.to_builtins(row)
    return built
