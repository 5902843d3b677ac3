"""/v1/invoice-settings: how an organization issues its invoices."""

from decimal import Decimal
from uuid import UUID

from fastapi import Request, Response
from flotilla.http import Routes, Tx, Who, check_if_match, note_change, set_etag
from flotilla.http.bodies import Written
from flotilla.store.postgres import Row, Transaction
from pydantic import Field

from flotilla_billing.api.values import Decimals, Text, invalid
from flotilla_billing.domain.lines import RATE_DECIMALS, InvalidInvoiceError
from flotilla_billing.domain.money import decimal_of
from flotilla_billing.store import issuers as store

routes = Routes("/v1/invoice-settings", tag="invoices")


class InvoiceSettings(Written):
    """Who issues, and what is so unless an invoice says otherwise. Invoices that are issued stay as they are."""

    legal_name: Text = Field(min_length=1, max_length=300)
    address: Text = Field("", max_length=500)
    tax_id: Text = Field("", max_length=50)
    email: Text = Field("", max_length=320)
    series: str = Field("INV", pattern=r"^[A-Z][A-Z0-9]{0,9}$", description="`INV` of `INV-2026-000001`.")
    due_in_days: int = Field(14, ge=0, le=365)
    tax_rate: Decimals = Field("0", description="In percent.")
    note: Text = Field("", max_length=2000, description="At the end of each invoice: a bank account, say.")


class InvoiceSettingsOut(InvoiceSettings):
    """As they are; `legal_name` is the organization's name until another is given."""

    legal_name: str


@routes.get("", permission="invoices:read")
async def read_invoice_settings(tx: Tx, who: Who, response: Response) -> InvoiceSettingsOut:
    """How invoices are issued."""
    row = await _row(tx, who.org)
    set_etag(response, row["sequence"])
    return _shown(row)


@routes.put("", permission="billing:write", recent=True)
async def save_invoice_settings(
    body: InvoiceSettings, tx: Tx, who: Who, request: Request, response: Response
) -> InvoiceSettingsOut:
    """Change how invoices are issued from now on."""
    before = await _row(tx, who.org)
    check_if_match(request, before["sequence"])
    await store.save_settings(tx, who.org, body.model_dump() | {"tax_rate": _rate(body.tax_rate)})
    row = await _row(tx, who.org)
    set_etag(response, row["sequence"])
    note_change(_shown(before), _shown(row))
    return _shown(row)


def _rate(text: str) -> Decimal:
    try:
        rate = decimal_of(text, decimals=RATE_DECIMALS)
    except ValueError as error:
        raise invalid(InvalidInvoiceError("/tax_rate", f"{error}.".capitalize())) from None
    if not 0 <= rate <= 100:
        raise invalid(InvalidInvoiceError("/tax_rate", "A rate of tax is 0 to 100 percent."))
    return rate


async def _row(tx: Transaction, org: UUID) -> Row:
    return (await store.issuers(tx, [org]))[org]


def _shown(row: Row) -> InvoiceSettingsOut:
    names = ("legal_name", "address", "tax_id", "email", "series", "due_in_days", "note")
    return InvoiceSettingsOut.model_construct(
        **{name: row[name] for name in names}, tax_rate=f"{row['tax_rate']:f}"
    )
