"""Invoices and their payments: their states, and what may be done in each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from flotilla.events import billing as events
from flotilla.events.base import Money

from flotilla_billing.domain.lines import Line, Totals, totals
from flotilla_billing.domain.money import major

CANCELLED: Final = "cancelled"
"""Why a request that had been taken back was refused."""


class InvoiceState(StrEnum):
    """Where an invoice stands."""

    DRAFT = "draft"
    """Has no number yet, and nobody owes it."""
    ISSUED = "issued"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    VOID = "void"


class PaymentState(StrEnum):
    """What became of the money."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUNDED = "refunded"


class NotPossibleError(Exception):
    """It is not in a state in which that can be done; the words are for people."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """Who issues it, or who is to pay: as it stood when the invoice was issued."""

    name: str
    address: str = ""
    tax_id: str = ""
    email: str = ""


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What one of the organization's customers owes it."""

    organization_id: UUID
    id: UUID
    sequence: int = 1
    state: InvoiceState = InvoiceState.DRAFT
    series: str
    year: int | None = None
    number: int | None = None
    """In its series and year, from 1, without gaps; none for a draft."""
    request_id: UUID | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    deal_id: UUID | None = None
    customer: Party
    issuer: Party
    currency: str
    lines: tuple[Line, ...]
    paid_minor: int = 0
    note: str = ""
    locale: str = "en"
    due_in_days: int
    issued_on: date | None = None
    due_on: date | None = None
    issued_at: datetime | None = None
    void_reason: str | None = None
    created_at: datetime
    totals: Totals = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "totals", totals(self.lines))

    @property
    def name(self) -> str | None:
        """Its number as people write it: `INV-2026-000042`."""
        return None if self.number is None else f"{self.series}-{self.year}-{self.number:06d}"

    @property
    def open_minor(self) -> int:
        """What is still to be paid."""
        return self.totals.total - self.paid_minor

    def money(self, amount_minor: int) -> Money:
        """An amount in its currency."""
        return Money(amount_minor=amount_minor, currency=self.currency)

    def check_voidable(self) -> None:
        """NotPossibleError where money came for it."""
        if self.state in (InvoiceState.PAID, InvoiceState.PARTLY_PAID):
            raise NotPossibleError("The invoice was paid, wholly or in part: refund its payments first.")

    def check_payable(self, amount_minor: int) -> None:
        """NotPossibleError where so much cannot be taken for it."""
        if self.state not in (InvoiceState.ISSUED, InvoiceState.PARTLY_PAID):
            raise NotPossibleError(f"The invoice is {self.state}: nothing is to be paid.")
        if amount_minor > self.open_minor:
            left = major(self.open_minor, self.currency)
            raise NotPossibleError(f"Only {left} {self.currency} is left to pay.")

    def state_when_paid(self, paid_minor: int) -> InvoiceState:
        """Its state once so much has been paid in all."""
        if paid_minor >= self.totals.total:
            return InvoiceState.PAID
        return InvoiceState.PARTLY_PAID if paid_minor > 0 else InvoiceState.ISSUED

    def issued(self) -> events.InvoiceIssued:
        """Tells that it has a number."""
        return events.InvoiceIssued(**self._told())

    def updated(self, before: "Invoice") -> events.InvoiceUpdated:
        """Tells that its state or what was paid changed."""
        return events.InvoiceUpdated(**self._told(), changed=self._changed(before))

    def paid(self, before: "Invoice") -> events.InvoicePaid:
        """Tells that nothing is left to pay."""
        return events.InvoicePaid(**self._told(), changed=self._changed(before))

    def voided(self, request_id: UUID | None) -> events.InvoiceVoided:
        """Tells that nobody owes it; `request_id` names the wish that this answers."""
        return events.InvoiceVoided(
            invoice_id=self.id, number=self.name, request_id=request_id, reason=self.void_reason or ""
        )

    def _changed(self, before: "Invoice") -> dict[str, list[Any]]:
        pairs = {"state": (before.state, self.state), "paid": (before.paid_minor, self.paid_minor)}
        return {name: [old, new] for name, (old, new) in pairs.items() if old != new}

    def _told(self) -> dict[str, Any]:
        return {
            "invoice_id": self.id,
            "number": self.name or "",
            "state": self.state,
            "request_id": self.request_id,
            "contact_id": self.contact_id,
            "company_id": self.company_id,
            "deal_id": self.deal_id,
            "lines": [self._line(line) for line in self.lines],
            "net": self.money(self.totals.net),
            "tax": self.money(self.totals.tax),
            "total": self.money(self.totals.total),
            "paid": self.money(self.paid_minor),
            "issued_on": self.issued_on,
            "due_on": self.due_on,
        }

    def _line(self, line: Line) -> events.InvoiceLine:
        return events.InvoiceLine(
            description=line.description,
            quantity=str(line.quantity),
            unit_price=self.money(line.unit_price),
            tax_rate=str(line.tax_rate),
        )


@dataclass(frozen=True, kw_only=True)
class Payment:
    """Money for an invoice, come or not."""

    organization_id: UUID
    id: UUID
    sequence: int = 1
    invoice_id: UUID
    state: PaymentState
    amount_minor: int
    currency: str
    method: str
    """`manual` or `stripe`."""
    reference: str = ""
    reason: str = ""
    occurred_at: datetime
    created_at: datetime

    def told(self) -> events.PaymentSucceeded | events.PaymentFailed | events.PaymentRefunded:
        """Tells what became of it."""
        state: Mapping[str, Any] = {
            "payment_id": self.id,
            "invoice_id": self.invoice_id,
            "amount": Money(amount_minor=self.amount_minor, currency=self.currency),
            "method": self.method,
            "occurred_at": self.occurred_at,
        }
        if self.state is PaymentState.FAILED:
            return events.PaymentFailed(**state, reason=self.reason)
        if self.state is PaymentState.REFUNDED:
            return events.PaymentRefunded(**state)
        return events.PaymentSucceeded(**state)
