"""What Stripe says, applied to the domain: each object's newest state, whatever order its events come in."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from flotilla.cause import Cause
from flotilla.ids import derived_id
from flotilla.store.postgres import Transaction

from flotilla_billing import commands, purchasing
from flotilla_billing.domain.invoices import NotPossibleError, Payment, PaymentState
from flotilla_billing.domain.plans import plans
from flotilla_billing.domain.subscriptions import SubscriptionState
from flotilla_billing.store import invoices, payments, purchases, subscriptions
from flotilla_billing.store import stripe as store
from flotilla_billing.stripe.catalog import price_key, received
from flotilla_billing.subscribing import begin, change

log = structlog.get_logger()

STATES: Final = {
    "trialing": SubscriptionState.TRIALING,
    "active": SubscriptionState.ACTIVE,
    "past_due": SubscriptionState.PAST_DUE,
    "unpaid": SubscriptionState.PAST_DUE,
    "paused": SubscriptionState.PAST_DUE,
    "canceled": SubscriptionState.CANCELLED,
    "incomplete_expired": SubscriptionState.CANCELLED,
}
"""Stripe's states and ours; one that is still `incomplete` is none yet."""


ACTOR: Final = "service:stripe"
REFUSED: Final = "The payment was refused."


class StripePrice(msgspec.Struct, frozen=True):
    """As far as it matters here."""

    lookup_key: str | None = None


class StripeItem(msgspec.Struct, frozen=True):
    """One price of a subscription."""

    price: StripePrice
    current_period_start: int
    current_period_end: int


class StripeItems(msgspec.Struct, frozen=True):
    """Its prices."""

    data: list[StripeItem]


class StripeSubscription(msgspec.Struct, frozen=True):
    """Stripe's subscription, as far as it matters here."""

    id: str
    customer: str
    status: str
    items: StripeItems
    cancel_at_period_end: bool = False
    trial_end: int | None = None
    metadata: dict[str, str] = {}


class StripeSession(msgspec.Struct, frozen=True):
    """Stripe's checkout session, as far as it matters here."""

    id: str
    created: int
    payment_status: str
    customer: str | None = None
    subscription: str | None = None
    payment_intent: str | None = None
    amount_total: int | None = None
    currency: str | None = None
    metadata: dict[str, str] = {}


class StripePaymentIntent(msgspec.Struct, frozen=True):
    """Stripe's payment, as far as it matters here."""

    id: str
    amount: int
    currency: str
    metadata: dict[str, str] = {}
    last_payment_error: dict[str, Any] | None = None


class StripeCharge(msgspec.Struct, frozen=True):
    """Stripe's charge, as far as it matters here."""

    id: str
    payment_intent: str | None
    refunded: bool


async def apply_subscription(
    tx: Transaction, org: UUID, told: StripeSubscription, at: datetime, *, cause: Cause | None = None
) -> bool:
    """Take a state over where it is the newest; whether Stripe has to be asked which of two is."""
    ended = STATES.get(told.status) is SubscriptionState.CANCELLED
    again = await store.take_object(tx, org, told.id, at, ended=ended)
    if again is None or told.status not in STATES:
        return False
    # Stripe may be faster than auth's word of a new organization.
    await begin(tx, {org: cause})
    before = await subscriptions.read(tx, org, lock=True)
    assert before is not None
    known = await store.customer(tx, org)
    if ended and (known["subscription_id"] not in (None, told.id) or before.provider == "local"):
        return False  # one that is not in force has ended
    overdue = STATES[told.status] is SubscriptionState.PAST_DUE
    if overdue and before.provider == "local" and known["subscription_id"] == told.id:
        return False  # it was lost for that, and Stripe has been asked to end it
    plan = _plan(told)
    item = told.items.data[0] if told.items.data else None
    after = replace(
        before,
        plan=plan or before.plan,
        state=STATES[told.status],
        provider="local" if ended else "stripe",
        trial_ends_at=_moment(told.trial_end) if told.status == "trialing" else None,
        period_started_at=_moment(item.current_period_start) if item else before.period_started_at,
        period_ends_at=_moment(item.current_period_end) if item else before.period_ends_at,
        cancel_at_period_end=told.cancel_at_period_end,
    )
    await tx.execute(store.SAVE_CUSTOMER, org, told.customer, told.id)
    await change(tx, before, after, cause)
    return again


async def apply_plan_session(tx: Transaction, org: UUID, session: StripeSession) -> None:
    """A plan was paid for: who pays is known now; the subscription tells of itself."""
    if session.customer is not None and session.subscription is not None:
        await tx.execute(store.SAVE_CUSTOMER, org, session.customer, session.subscription)
    await _complete(tx, org, session, None)


async def apply_invoice_session(tx: Transaction, org: UUID, session: StripeSession) -> None:
    """A customer went through the checkout of an invoice: note what came."""
    invoice_id = named(session.metadata, "invoice_id")
    if invoice_id is None or session.payment_status != "paid":
        return  # where the money is still under way, another event tells when it has come
    await _complete(tx, org, session, await _pay(tx, org, invoice_id, session))


async def _complete(tx: Transaction, org: UUID, session: StripeSession, problem: str | None) -> None:
    checkout_id = named(session.metadata, "checkout_id")
    if checkout_id is not None:
        await tx.execute(store.CHECKOUT_COMPLETED, org, checkout_id, problem)


async def _pay(tx: Transaction, org: UUID, invoice_id: UUID, session: StripeSession) -> str | None:
    """Note the money; in words, why it could not be counted."""
    invoice = await invoices.read(tx, org, invoice_id, lock=True)
    currency = (session.currency or "").upper()
    if invoice is None or not session.amount_total:
        return "The money came, but there is no such invoice: give it back in Stripe."
    payment = _payment(
        org,
        invoice_id,
        PaymentState.SUCCEEDED,
        received(session.amount_total, currency),
        currency,
        session.payment_intent or session.id,
        _moment(session.created),
    )
    try:
        await commands.pay(tx, invoice, payment)
    except NotPossibleError as error:
        log.error("stripe.not_owed", org=str(org), invoice_id=str(invoice_id), session=session.id)
        return f"The money came, but: {error} Give it back in Stripe."
    return None


async def apply_failure(
    tx: Transaction, org: UUID, intent: StripePaymentIntent, event_id: str, at: datetime
) -> None:
    """Money for an invoice did not come."""
    invoice_id = named(intent.metadata, "invoice_id")
    if invoice_id is None or await invoices.read(tx, org, invoice_id) is None:
        return
    currency = intent.currency.upper()
    reason = str((intent.last_payment_error or {}).get("message") or REFUSED)
    failed = _payment(
        org,
        invoice_id,
        PaymentState.FAILED,
        received(intent.amount, currency),
        currency,
        f"{intent.id} {event_id}",
        at,
    )
    await commands.note_failure(tx, replace(failed, reason=reason[:500]))


async def apply_purchase(tx: Transaction, org: UUID, intent: StripePaymentIntent, *, failed: bool) -> None:
    """What became of money for something the organization bought; whoever says so first is believed."""
    purchase_id = named(intent.metadata, "purchase_id")
    if purchase_id is None:
        return
    held = await purchases.lock(tx, [(org, purchase_id)])
    reason = str((intent.last_payment_error or {}).get("message") or REFUSED) if failed else ""
    for purchase in held.values():
        await purchasing.settle(tx, purchase, Cause.fresh(ACTOR), intent.id, reason)


async def apply_refund(tx: Transaction, org: UUID, charge: StripeCharge) -> None:
    """A payment was given back, all of it; a part that was given back changes nothing here."""
    if not charge.refunded or charge.payment_intent is None:
        return
    payment = await payments.one(tx, store.PAYMENT_BY_REFERENCE, org, charge.payment_intent)
    if payment is None:
        return
    invoice = await invoices.read(tx, org, payment.invoice_id, lock=True)
    assert invoice is not None
    await commands.refund(tx, invoice, payment)


def named(metadata: Mapping[str, str], what: str) -> UUID | None:
    """The id that we wrote on an object; None on one that is not ours."""
    try:
        return UUID(metadata.get(what, ""))
    except ValueError:
        return None


def _payment(
    org: UUID, invoice_id: UUID, state: PaymentState, amount: int, currency: str, reference: str, at: datetime
) -> Payment:
    return Payment(
        organization_id=org,
        id=derived_id(at, "stripe", str(org), reference),
        invoice_id=invoice_id,
        state=state,
        amount_minor=amount,
        currency=currency,
        method="stripe",
        reference=reference,
        occurred_at=at,
        created_at=datetime.now(UTC),
    )


def _plan(told: StripeSubscription) -> str | None:
    sold = {price_key(slug, plan): slug for slug, plan in plans().plans.items()}
    keys = [item.price.lookup_key for item in told.items.data]
    found = next((sold[key] for key in keys if key in sold), None)
    return found or (told.metadata.get("plan") if told.metadata.get("plan") in plans().plans else None)


def _moment(seconds: int | None) -> datetime:
    assert seconds is not None
    return datetime.fromtimestamp(seconds, UTC)
