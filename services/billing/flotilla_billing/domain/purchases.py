"""What an organization buys, and what it has paid beforehand.

    pending ──▶ succeeded ──▶ refunding ──▶ refunded
       │            └───────────────────────▶┘
       └──▶ failed

`pending` and `refunding` only with Stripe, whose word is awaited; the balance answers at once.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from flotilla.events import billing as events
from flotilla.events.base import Money

from flotilla_billing.domain.money import CURRENCIES, LARGEST_AMOUNT

BALANCE: Final = "balance"
STRIPE: Final = "stripe"
LONGEST_TEXT: Final = 300


class PurchaseState(StrEnum):
    """How far a purchase is."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """Something that the organization pays for because another service asked."""

    organization_id: UUID
    id: UUID
    """Of the request."""
    sequence: int = 1
    state: PurchaseState
    amount_minor: int
    currency: str
    purpose: str
    reference: str
    method: str
    intent_id: str | None = None
    refund_request_id: UUID | None = None
    reason: str = ""
    occurred_at: datetime
    created_at: datetime

    def succeeded(self) -> events.PaymentSucceeded:
        """Tells that it is paid."""
        return events.PaymentSucceeded(**self._told(self.id))

    def failed(self) -> events.PaymentFailed:
        """Tells that it is not, and why."""
        return events.PaymentFailed(**self._told(self.id), reason=self.reason)

    def refunded(self, request_id: UUID) -> events.PaymentRefunded:
        """Tells whoever asked that nothing is paid for it any more."""
        return events.PaymentRefunded(**self._told(request_id))

    def _told(self, request_id: UUID) -> dict[str, Any]:
        return {
            "payment_id": self.id,
            "invoice_id": None,
            "request_id": request_id,
            "amount": Money(amount_minor=self.amount_minor, currency=self.currency),
            "method": self.method,
            "purpose": self.purpose,
            "reference": self.reference,
            "occurred_at": self.occurred_at,
        }


def objection(wish: events.PaymentRequested) -> str | None:
    """Why this can't be paid, whoever pays; None where it can."""
    if not 0 < wish.amount_minor <= LARGEST_AMOUNT:
        return "Such an amount cannot be paid."
    if wish.currency not in CURRENCIES:
        return f"{wish.currency!r} is no currency."
    return None


def never_taken(wish: events.PaymentRefundRequested, now: datetime) -> events.PaymentRefunded:
    """Tells that a payment was taken back before its wish came: it will be refused."""
    return events.PaymentRefunded(
        payment_id=wish.cancels,
        invoice_id=None,
        request_id=wish.request_id,
        amount=None,
        method=BALANCE,
        occurred_at=now,
    )
