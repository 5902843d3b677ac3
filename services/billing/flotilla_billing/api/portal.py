"""/v1/portal/invoices: what a client of the organization owes and has paid."""

from datetime import date
from uuid import UUID

from flotilla.http import Page, PageQuery, Routes, Tx, Who
from flotilla.http.bodies import Written
from flotilla.http.sorting import ByTime
from flotilla.store.order import BY_TIME

from flotilla_billing.api.invoices import CustomerIn, LineOut, State, shown
from flotilla_billing.api.values import MoneyOut
from flotilla_billing.domain.invoices import Invoice
from flotilla_billing.store import clients as store

routes = Routes("/v1/portal", tag="portal")


class ClientInvoiceOut(Written):
    """An invoice as whoever pays it sees it. `open` is what is left to pay."""

    id: UUID
    number: str | None
    state: State
    customer: CustomerIn
    lines: list[LineOut]
    net: MoneyOut
    tax: MoneyOut
    total: MoneyOut
    paid: MoneyOut
    open: MoneyOut
    note: str
    issued_on: date | None
    due_on: date | None

    @classmethod
    def of(cls, invoice: Invoice) -> "ClientInvoiceOut":
        """Without what is the organization's own business."""
        whole = shown(invoice)
        return cls(**{name: getattr(whole, name) for name in cls.model_fields})


@routes.get("/invoices", permission="profile:read")
async def list_own_invoices(
    tx: Tx, who: Who, query: PageQuery, sort: ByTime = "-created_at"
) -> Page[ClientInvoiceOut]:
    """The caller's own, the newest first: those of the contact that they were invited as; nobody else has any."""
    order = BY_TIME[sort]
    found = await store.invoices(tx, who.org, who.user_id, order, query.place(sort, order), query.limit + 1)
    return query.page([ClientInvoiceOut.of(each) for each in found], sort, order)
