"""Wishes for invoices, answered once each; and wishes to take them back, also ones that come first."""

from collections.abc import Sequence
from uuid import UUID

from flotilla.bus.declare import NotYetKnown, reaction
from flotilla.bus.envelope import Received
from flotilla.events.billing import (
    InvoiceFailed,
    InvoiceRequested,
    InvoiceVoided,
    InvoiceVoidFailed,
    InvoiceVoidRequested,
)
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_billing import commands
from flotilla_billing.domain.invoices import CANCELLED, Invoice, NotPossibleError, Party
from flotilla_billing.domain.lines import InvalidInvoiceError, line_of
from flotilla_billing.issuing import AUDIENCE, Issuer, check_issuer, drafted, numbered, tell_issued
from flotilla_billing.store import invoices as store
from flotilla_billing.store import issuers
from flotilla_billing.store.invoices import Request

Key = tuple[UUID, UUID]
"""(organization, request)."""
Wish = Received[InvoiceRequested]


@reaction(InvoiceRequested, lane="invoices")
async def issue_requested(tx: Transaction, batch: Sequence[Wish]) -> None:
    """Issue what can be issued and say why the rest can't be; a wish that was answered gets the same answer."""
    wishes = {(event.org, event.data.request_id): event for event in batch}
    found = await issuers.issuers(tx, sorted({event.org for event in batch}))
    known = {org: Issuer.of(row) for org, row in found.items()}
    companies = await _companies(tx, list(wishes.values()))
    outcomes = {key: _outcome(wish, known[wish.org], companies) for key, wish in wishes.items()}
    claimed = await store.claim(tx, [_request(wishes[key], outcome) for key, outcome in outcomes.items()])
    drafts = [outcome for key, outcome in outcomes.items() if key in claimed and isinstance(outcome, Invoice)]
    for invoice in await store.add(tx, await numbered(tx, drafts, known)) if drafts else []:
        tell_issued(tx, invoice, wishes[invoice.organization_id, invoice.id])
    answered = await store.requests(tx, [key for key in wishes if key not in claimed])
    for request in (*claimed.values(), *answered.values()):
        if request.state != "issued":
            _tell_failed(tx, request, wishes[request.key])
        elif request.key in answered:
            await _tell_again(tx, request, wishes[request.key])


@reaction(InvoiceVoidRequested, lane="invoices")
async def void_requested(tx: Transaction, batch: Sequence[Received[InvoiceVoidRequested]]) -> None:
    """Take invoices back. A wish that has not come yet leaves a tombstone, which refuses it when it does."""
    wishes = sorted(batch, key=lambda event: (event.org, event.data.cancels))
    tombstones = {
        (event.org, event.data.cancels): Request(event.org, event.data.cancels, "cancelled", CANCELLED)
        for event in wishes
    }
    unseen = await store.claim(tx, list(tombstones.values()))
    heard = unseen | await store.requests(tx, [key for key in tombstones if key not in unseen])
    for event in wishes:
        request = heard[event.org, event.data.cancels]
        if request.state == "issued":
            await _void(tx, event)
        else:
            told = InvoiceVoided(
                invoice_id=request.id,
                number=None,
                request_id=event.data.request_id,
                reason=event.data.reason,
            )
            sequence = 1 if request.state == "cancelled" else 2
            tx.emit(told, org=event.org, sequence=sequence, cause=event, audience=AUDIENCE)


async def _void(tx: Transaction, event: Received[InvoiceVoidRequested]) -> None:
    invoice = await store.read(tx, event.org, event.data.cancels, lock=True)
    assert invoice is not None
    try:
        await commands.void(tx, invoice, event.data.reason, request_id=event.data.request_id, cause=event)
    except NotPossibleError as error:
        refused = InvoiceVoidFailed(
            request_id=event.data.request_id, cancels=event.data.cancels, reason=str(error)
        )
        tx.emit(refused, org=event.org, sequence=1, cause=event, audience=AUDIENCE)


async def _companies(tx: Transaction, wishes: Sequence[Wish]) -> dict[Key, str]:
    """Names of companies that wishes name by their ids alone; one may come before crm's word of it, and waits."""
    asked = sorted(
        {
            (wish.org, wish.data.company_id)
            for wish in wishes
            if wish.data.company_id is not None and not wish.data.customer_name
        }
    )
    known = await issuers.companies(tx, asked) if asked else {}
    for key in asked:
        if key not in known:
            raise NotYetKnown("company", key[1])
    return known


def _outcome(wish: Wish, issuer: Issuer, companies: dict[Key, str]) -> Invoice | InvalidInvoiceError:
    """The invoice that it asks for, or why there can be none."""
    data = wish.data
    try:
        check_issuer(issuer)
        for place, line in enumerate(data.lines or ()):
            if line.unit_price.currency != data.currency:
                raise InvalidInvoiceError(f"/lines/{place}", f"Line {place + 1} is not in {data.currency}.")
        lines = [
            line_of(
                place,
                description=line.description,
                quantity=line.quantity,
                unit_price=line.unit_price.amount_minor,
                tax_rate=line.tax_rate,
                default_rate=issuer.tax_rate,
            )
            for place, line in enumerate(data.lines or ())
        ]
        if data.due_in_days is not None and not 0 <= data.due_in_days <= 365:
            raise InvalidInvoiceError("/due_in_days", "An invoice is due within a year.")
        return drafted(
            issuer,
            org=wish.org,
            id_=data.request_id,
            customer=_customer(wish, companies),
            currency=data.currency,
            lines=lines,
            due_in_days=data.due_in_days,
            request_id=data.request_id,
            contact_id=data.contact_id,
            company_id=data.company_id,
            deal_id=data.deal_id,
        )
    except InvalidInvoiceError as error:
        return error


def _customer(wish: Wish, companies: dict[Key, str]) -> Party:
    name = wish.data.customer_name
    if not name and wish.data.company_id is not None:
        name = companies[wish.org, wish.data.company_id]
    return Party(name=" ".join((name or "").split()))


def _request(wish: Wish, outcome: Invoice | InvalidInvoiceError) -> Request:
    reason = None if isinstance(outcome, Invoice) else str(outcome)
    state = "issued" if reason is None else "failed"
    return Request(wish.org, wish.data.request_id, state, reason, wish.data.deal_id)


def _tell_failed(tx: Transaction, request: Request, wish: Wish) -> None:
    """The same event however often it is told; after a tombstone's `invoice.voided` in its order."""
    assert request.created_at is not None
    failed = InvoiceFailed(
        request_id=request.id, deal_id=wish.data.deal_id, reason=request.reason or CANCELLED
    )
    tx.emit(
        failed,
        org=request.organization_id,
        sequence=2 if request.state == "cancelled" else 1,
        cause=wish,
        audience=AUDIENCE,
        event_id=derived_id(request.created_at, "invoice.failed", str(request.id)),
    )


async def _tell_again(tx: Transaction, request: Request, wish: Wish) -> None:
    invoice = await store.read(tx, request.organization_id, request.id)
    assert invoice is not None
    tell_issued(tx, invoice, wish)
