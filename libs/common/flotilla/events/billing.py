"""Events of billing: subscriptions, entitlements and usage, invoices and payments."""

from datetime import date
from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec

from flotilla.events.base import PERSONAL, Event, Moment, Money, Personal, event

_event = partial(event, owner="billing")


class Subscription(Event, frozen=True, kw_only=True):
    """The state of an organization's subscription to Flotilla."""

    subscription_id: UUID
    plan: str
    """The plan's slug."""
    state: str
    """`trialing`, `active`, `past_due` or `cancelled`."""
    provider: str
    """`local` or `stripe`."""
    trial_ends_at: Moment | None
    period_started_at: Moment
    period_ends_at: Moment
    cancel_at_period_end: bool
    grace_ends_at: Moment | None = None
    """While it is `past_due`: when the plan is lost, if nothing is paid until then."""


@_event("subscription.requested.v1", subject="request_id", wish=True)
class SubscriptionRequested(Event, frozen=True, kw_only=True):
    """An organization that begins shall have its trial. Answered by `subscription.created` or `subscription.failed`."""

    request_id: UUID


@_event("subscription.created.v1", subject="subscription_id")
class SubscriptionCreated(Subscription, frozen=True, kw_only=True):
    """The organization has a plan; told again where the one that it has answers another wish."""


@_event("subscription.failed.v1", subject="request_id")
class SubscriptionFailed(Event, frozen=True, kw_only=True):
    """It was not given one."""

    request_id: UUID
    reason: str
    """`cancelled`: it had been taken back before it came."""


@_event("subscription.updated.v1", subject="subscription_id")
class SubscriptionUpdated(Subscription, frozen=True, kw_only=True):
    """Its plan, state or period changed."""


@_event("subscription.cancelled.v1", subject="subscription_id")
class SubscriptionCancelled(Subscription, frozen=True, kw_only=True):
    """It has ended."""


@_event("subscription.cancel.requested.v1", subject="request_id", wish=True)
class SubscriptionCancelRequested(Event, frozen=True, kw_only=True):
    """A trial, or the wish for one, is taken back; what everybody has stays.

    Answered by `subscription.cancelled` or `subscription.cancel.failed`. Where `cancels` has not come yet, it is
    refused when it does.
    """

    request_id: UUID
    cancels: UUID
    """The `request_id` of the `subscription.requested` to undo."""
    reason: str


@_event("subscription.cancel.failed.v1", subject="request_id")
class SubscriptionCancelFailed(Event, frozen=True, kw_only=True):
    """It goes on."""

    request_id: UUID
    cancels: UUID
    reason: str
    """`in_use`: another plan was chosen meanwhile."""


class Entitlement(Event, frozen=True, kw_only=True):
    """What an organization may use of one feature."""

    entitlement_id: UUID
    feature: str
    enabled: bool
    limit: int | None
    """How much in one period; null: as much as it likes."""
    used: int
    """In this period, up to now."""
    beyond: str
    """`block` or `overage`: what happens past the limit."""
    resets: bool = True
    """Whether use is counted anew in each period; false: it counts for as long as it is there."""
    period_started_at: Moment
    period_ends_at: Moment


@_event("entitlement.changed.v1", subject="entitlement_id")
class EntitlementChanged(Entitlement, frozen=True, kw_only=True):
    """A feature is to be had or not, or its limit changed. Not told for each use."""


@_event("usage.limit.reached.v1", subject="entitlement_id")
class UsageLimitReached(Entitlement, frozen=True, kw_only=True):
    """A share of the limit is used up; told once a period for each share."""

    percent: int
    """80 or 100."""
    blocked: bool
    """Whether further use is refused now."""


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """What is charged for."""

    description: str
    quantity: str
    """A decimal number: `1`, `2.5`."""
    unit_price: Money
    tax_rate: str | None = None
    """Tax on top, in percent, a decimal number: `19`; null: as the organization's settings say."""


InvoiceLines = Annotated[list[InvoiceLine] | None, PERSONAL]
"""What was sold to whom is personal where the customer is a person."""


@_event(
    "invoice.requested.v1",
    subject="request_id",
    person=("contact_id", "company_id", "request_id"),
    wish=True,
)
class InvoiceRequested(Event, frozen=True, kw_only=True):
    """A customer shall be charged. Answered by `invoice.issued` or `invoice.failed`.

    The invoice has the id of the request, so that who asked can take it back before it has heard of it.
    """

    request_id: UUID
    contact_id: UUID | None
    company_id: UUID | None
    deal_id: UUID | None
    currency: str
    """ISO 4217; every line is in it."""
    lines: InvoiceLines
    due_in_days: int | None = None
    """Null: as the organization's settings say."""
    customer_name: Personal = None
    """As it shall stand on the invoice; null: the company's. A person's has to be said."""


class Invoice(Event, frozen=True, kw_only=True):
    """The state of an invoice of the organization to one of its customers."""

    invoice_id: UUID
    number: str
    """Without gaps in its organization."""
    state: str
    """`issued`, `partly_paid`, `paid` or `void`."""
    request_id: UUID | None
    """The `invoice.requested` that it answers; null for one that a person made."""
    contact_id: UUID | None
    company_id: UUID | None
    deal_id: UUID | None
    lines: InvoiceLines
    net: Money
    tax: Money
    total: Money
    paid: Money
    issued_on: date
    due_on: date


@_event("invoice.issued.v1", subject="invoice_id", person=("contact_id", "company_id", "invoice_id"))
class InvoiceIssued(Invoice, frozen=True, kw_only=True):
    """It has a number and is to be paid."""


@_event("invoice.failed.v1", subject="request_id")
class InvoiceFailed(Event, frozen=True, kw_only=True):
    """It was not issued; the reason says why."""

    request_id: UUID
    deal_id: UUID | None
    reason: str
    """One sentence for a person, or `cancelled` where it had been taken back before it came."""


@_event("invoice.void.requested.v1", subject="request_id", wish=True)
class InvoiceVoidRequested(Event, frozen=True, kw_only=True):
    """An invoice, or the wish for one, is taken back. Answered by `invoice.voided` or `invoice.void.failed`.

    Where `cancels` has not come yet, it is refused when it does, and the answer is `invoice.voided` as well.
    """

    request_id: UUID
    cancels: UUID
    """The `request_id` of the `invoice.requested` to undo."""
    reason: str


@_event("invoice.voided.v1", subject="invoice_id")
class InvoiceVoided(Event, frozen=True, kw_only=True):
    """It is not to be paid, and keeps its number; or it will never be issued."""

    invoice_id: UUID
    number: str | None
    """Null where the wish was taken back before there was an invoice."""
    request_id: UUID | None
    """The `invoice.void.requested` that this answers; null where a person voided it."""
    reason: str


@_event("invoice.void.failed.v1", subject="request_id")
class InvoiceVoidFailed(Event, frozen=True, kw_only=True):
    """It stays as it is, for it is paid already, say."""

    request_id: UUID
    cancels: UUID
    reason: str


@_event("invoice.updated.v1", subject="invoice_id", person=("contact_id", "company_id", "invoice_id"))
class InvoiceUpdated(Invoice, frozen=True, kw_only=True):
    """A part of it was paid, or a payment was given back."""


@_event("invoice.paid.v1", subject="invoice_id", person=("contact_id", "company_id", "invoice_id"))
class InvoicePaid(Invoice, frozen=True, kw_only=True):
    """All of it is paid."""


@_event("payment.requested.v1", subject="request_id", wish=True)
class PaymentRequested(Event, frozen=True, kw_only=True):
    """The organization shall pay for something it buys. Answered by `payment.succeeded` or `payment.failed`.

    Paid from its prepaid balance, or through Stripe by the means of payment of its subscription. The payment has the
    id of the request, so that who asked can have it given back before it has heard of it.
    """

    request_id: UUID
    amount_minor: int
    """More than nothing, in the currency's smallest unit."""
    currency: str
    """ISO 4217."""
    purpose: str
    """What is bought, in a line that stands on the statement: `Connector "Acme ERP"`."""
    reference: str
    """What it is for, in the words of who asks: `install:<id>`."""


class Payment(Event, frozen=True, kw_only=True):
    """The state of a payment: of a customer for an invoice, or of the organization for what it buys."""

    payment_id: UUID
    invoice_id: UUID | None
    """The invoice that it pays; null for what the organization buys itself."""
    request_id: UUID | None = None
    """The wish that this answers: a `payment.requested`, or a `payment.refund.requested`; null where nobody asked."""
    amount: Money | None
    """Null only in a `payment.refunded` for a wish that was taken back before it came: no money moved."""
    method: str
    """`manual`, `stripe` or `balance`."""
    purpose: str | None = None
    reference: str | None = None
    """As `payment.requested` said."""
    occurred_at: Moment


@_event("payment.succeeded.v1", subject="payment_id")
class PaymentSucceeded(Payment, frozen=True, kw_only=True):
    """The money came."""


@_event("payment.failed.v1", subject="payment_id")
class PaymentFailed(Payment, frozen=True, kw_only=True):
    """It did not."""

    reason: str
    """One sentence for a person, or `cancelled` where it had been taken back before it came."""


@_event("payment.refund.requested.v1", subject="request_id", wish=True)
class PaymentRefundRequested(Event, frozen=True, kw_only=True):
    """A payment, or the wish for one, is taken back. Answered by `payment.refunded` or `payment.refund.failed`.

    Where `cancels` has not come yet, it is refused when it does, and the answer is `payment.refunded` as well.
    """

    request_id: UUID
    cancels: UUID
    """The `request_id` of the `payment.requested` to undo."""
    reason: str


@_event("payment.refunded.v1", subject="payment_id")
class PaymentRefunded(Payment, frozen=True, kw_only=True):
    """It was given back; or it will never be taken."""


@_event("payment.refund.failed.v1", subject="request_id")
class PaymentRefundFailed(Event, frozen=True, kw_only=True):
    """The money stays where it is."""

    request_id: UUID
    cancels: UUID
    reason: str
