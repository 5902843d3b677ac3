"""/v1/invoices."""

import asyncio
from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from flotilla.http import (
    CurrentApp,
    NotFoundError,
    Page,
    PageQuery,
    Routes,
    Tx,
    Who,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Written, file_answer
from flotilla.http.sorting import SORT, Several
from flotilla.store.order import BY_TIME, Order, both
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime, Field

from flotilla_billing import commands
from flotilla_billing.api.values import (
    Currency,
    Decimals,
    MoneyIn,
    MoneyOut,
    Text,
    conflict,
    invalid,
)
from flotilla_billing.domain.invoices import Invoice, NotPossibleError, Party
from flotilla_billing.domain.lines import InvalidInvoiceError, Line, line_of
from flotilla_billing.issuing import Issuer, check_issuer, drafted
from flotilla_billing.pdf import render
from flotilla_billing.store import invoices as store
from flotilla_billing.store import issuers

routes = Routes("/v1/invoices", tag="invoices")
Sorts = Annotated[
    Literal["-created_at", "created_at", "due_on", "-due_on", "total", "-total"], Query(description=SORT)
]
ORDERS: Final = {
    **BY_TIME,
    **both(
        "due_on",
        Order(
            ("coalesce(due_on, 'infinity'::date)", "id"),
            (date, UUID),
            key=lambda invoice: (invoice.due_on or date.max, invoice.id),
        ),
    ),
    **both(
        "total",
        Order(
            ("total_minor", "id"),
            (int, UUID),
            key=lambda invoice: (invoice.total.amount_minor, invoice.id),
        ),
    ),
}
State = Literal["draft", "issued", "partly_paid", "paid", "void"]


class LineIn(Written):
    """What is charged for."""

    description: Text = Field(min_length=1, max_length=500)
    quantity: Decimals = "1"
    unit_price: MoneyIn
    tax_rate: Decimals | None = Field(None, description="In percent; absent: as the settings say.")


class CustomerIn(Written):
    """Who is to pay, as it shall stand on the invoice."""

    name: Text = Field(min_length=1, max_length=300)
    address: Text = Field("", max_length=500)
    tax_id: Text = Field("", max_length=50)
    email: Text = Field("", max_length=320)


class InvoiceIn(Written):
    """A draft."""

    customer: CustomerIn
    currency: Currency
    lines: list[LineIn] = Field(min_length=1, max_length=100)
    due_in_days: int | None = Field(None, ge=0, le=365)
    note: Text | None = Field(None, max_length=2000)
    contact_id: UUID | None = None
    company_id: UUID | None = None
    deal_id: UUID | None = None


class VoidIn(Written):
    """Why nobody owes it."""

    reason: Text = Field(min_length=1, max_length=500)


class LineOut(Written):
    """What is charged for; `net` without tax."""

    description: str
    quantity: str
    unit_price: MoneyOut
    tax_rate: str
    net: MoneyOut


class InvoiceOut(Written):
    """An invoice. `open` is what is left to pay."""

    id: UUID
    number: str | None
    state: State
    customer: CustomerIn
    contact_id: UUID | None
    company_id: UUID | None
    deal_id: UUID | None
    lines: list[LineOut]
    net: MoneyOut
    tax: MoneyOut
    total: MoneyOut
    paid: MoneyOut
    open: MoneyOut
    note: str
    issued_on: date | None
    due_on: date | None
    void_reason: str | None
    created_at: AwareDatetime


def shown(invoice: Invoice) -> InvoiceOut:
    """As callers see it."""

    def money(amount_minor: int) -> MoneyOut:
        return MoneyOut(amount_minor=amount_minor, currency=invoice.currency)

    same = ("id", "state", "contact_id", "company_id", "deal_id", "note", "issued_on", "due_on")
    lines = [
        LineOut(
            description=line.description,
            quantity=str(line.quantity),
            unit_price=money(line.unit_price),
            tax_rate=str(line.tax_rate),
            net=money(line.net),
        )
        for line in invoice.lines
    ]
    return InvoiceOut(
        **{name: getattr(invoice, name) for name in same},
        number=invoice.name,
        customer=CustomerIn.model_construct(None, **store.party(invoice.customer)),
        lines=lines,
        net=money(invoice.totals.net),
        tax=money(invoice.totals.tax),
        total=money(invoice.totals.total),
        paid=money(invoice.paid_minor),
        open=money(invoice.open_minor),
        void_reason=invoice.void_reason,
        created_at=invoice.created_at,
    )


async def issuer_of(tx: Transaction, org: UUID) -> Issuer:
    """How the organization issues its invoices."""
    return Issuer.of((await issuers.issuers(tx, [org]))[org])


async def held(tx: Transaction, org: UUID, invoice_id: UUID, request: Request) -> Invoice:
    """The invoice, held until the commit; 404, and 412 where another state than that was read."""
    invoice = await store.read(tx, org, invoice_id, lock=True)
    if invoice is None:
        raise NotFoundError("There is no invoice with this id.")
    check_if_match(request, invoice.sequence)
    return invoice


@routes.get("", permission="invoices:read")
async def list_invoices(
    tx: Tx,
    who: Who,
    query: PageQuery,
    state: Several[State] = None,
    contact_id: UUID | None = None,
    company_id: UUID | None = None,
    deal_id: Annotated[UUID | None, Query()] = None,
    sort: Sorts = "-created_at",
) -> Page[InvoiceOut]:
    """The newest first, or in the order of `sort`; what is not due yet on any day stands last."""
    filters = {"state": state, "contact_id": contact_id, "company_id": company_id, "deal_id": deal_id}
    order = ORDERS[sort]
    found = await store.listing(tx, who.org, filters, order, query.place(sort, order), query.limit + 1)
    return query.page([shown(each) for each in found], sort, order)


@routes.post("", permission="invoices:write", status_code=201)
async def create_invoice(body: InvoiceIn, tx: Tx, who: Who, response: Response) -> InvoiceOut:
    """Make a draft: nobody owes it, and it has no number yet."""
    issuer = await issuer_of(tx, who.org)
    try:
        draft = drafted(
            issuer,
            org=who.org,
            id_=tx.app.new_id(),
            customer=Party(**body.customer.model_dump()),
            currency=body.currency,
            lines=_lines(body, issuer),
            due_in_days=body.due_in_days,
            note=body.note,
            contact_id=body.contact_id,
            company_id=body.company_id,
            deal_id=body.deal_id,
        )
    except InvalidInvoiceError as error:
        raise invalid(error) from None
    (invoice,) = await store.add(tx, [draft])
    set_etag(response, invoice.sequence)
    response.headers["Location"] = f"/v1/invoices/{invoice.id}"
    return shown(invoice)


@routes.get("/{invoice_id}", permission="invoices:read")
async def read_invoice(invoice_id: UUID, tx: Tx, who: Who, response: Response) -> InvoiceOut:
    """One invoice."""
    invoice = await store.read(tx, who.org, invoice_id)
    if invoice is None:
        raise NotFoundError("There is no invoice with this id.")
    set_etag(response, invoice.sequence)
    return shown(invoice)


@routes.get(
    "/{invoice_id}/pdf",
    permission="invoices:read",
    response_class=Response,
    responses=file_answer("application/pdf"),
)
async def read_invoice_pdf(invoice_id: UUID, app: CurrentApp, who: Who) -> Response:
    """The invoice as a PDF, the same bytes every time; 404 for a draft."""
    async with app.db.transaction(who.orgs) as tx:
        invoice = await store.read(tx, who.org, invoice_id)
    if invoice is None or invoice.name is None:
        raise NotFoundError("There is no issued invoice with this id.")
    document = await asyncio.to_thread(render, invoice)
    headers = {"Content-Disposition": f'inline; filename="{invoice.name}.pdf"'}
    return Response(document, media_type="application/pdf", headers=headers)


@routes.post("/{invoice_id}/issue", permission="invoices:write")
async def issue_invoice(
    invoice_id: UUID, tx: Tx, who: Who, request: Request, response: Response
) -> InvoiceOut:
    """Give a draft its number and its dates; it cannot be changed from then on."""
    draft = await held(tx, who.org, invoice_id, request)
    issuer = await issuer_of(tx, who.org)
    try:
        check_issuer(issuer)
        invoice = await commands.issue(tx, draft, issuer)
    except InvalidInvoiceError as error:
        raise invalid(error) from None
    except NotPossibleError as error:
        raise conflict(error) from None
    set_etag(response, invoice.sequence)
    return shown(invoice)


@routes.post("/{invoice_id}/void", permission="invoices:write")
async def void_invoice(
    invoice_id: UUID, body: VoidIn, tx: Tx, who: Who, request: Request, response: Response
) -> InvoiceOut:
    """Nobody owes it any more; its number stays taken. Refused once money came; voiding again changes nothing."""
    invoice = await held(tx, who.org, invoice_id, request)
    try:
        invoice = await commands.void(tx, invoice, body.reason)
    except NotPossibleError as error:
        raise conflict(error) from None
    set_etag(response, invoice.sequence)
    return shown(invoice)


def _lines(body: InvoiceIn, issuer: Issuer) -> list[Line]:
    for place, line in enumerate(body.lines):
        if line.unit_price.currency != body.currency:
            pointer = f"/lines/{place}/unit_price/currency"
            raise InvalidInvoiceError(pointer, f"Line {place + 1} is not in {body.currency}.")
    return [
        line_of(
            place,
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price.amount_minor,
            tax_rate=line.tax_rate,
            default_rate=issuer.tax_rate,
        )
        for place, line in enumerate(body.lines)
    ]
