"""What an organization buys, charged to the means of payment of its subscription while nobody is at the page.

Each purchase is one PaymentIntent: made under one key however often it is tried, and looked for by our own mark
where Stripe may have forgotten that key. What Stripe can't be asked about stays pending until it can.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import stripe
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.ids import PLATFORM_ORG
from flotilla.outside_http import OutsideError
from flotilla.store.postgres import Transaction

from flotilla_billing import purchasing
from flotilla_billing.domain.purchases import Purchase, PurchaseState
from flotilla_billing.purchasing import CHARGE, GIVE_BACK, Charge
from flotilla_billing.store import purchases
from flotilla_billing.store import stripe as store
from flotilla_billing.stripe import catalog
from flotilla_billing.stripe.client import client, keys

log = structlog.get_logger()

AGAIN: Final = timedelta(seconds=30)
KEYS_LAST: Final = timedelta(hours=20)
"""Stripe keeps idempotency keys for a day."""
NO_MEANS: Final = (
    "There is no card or other means of payment that can be charged: add one in the customer portal."
)
UNREACHABLE: Final = (stripe.APIConnectionError, stripe.RateLimitError, OutsideError)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Stripe's word; no reason: it is done. Still under way: a webhook will tell."""

    intent_id: str | None = None
    reason: str = ""
    under_way: bool = False


async def charge(app: App, job: Job) -> Outcome:
    """Take the money."""
    purchase, customer_id = await _known(app, job)
    account = await keys(app, PLATFORM_ORG)
    if purchase is None or purchase.state is not PurchaseState.PENDING:
        return Outcome(under_way=True)
    if account is None or customer_id is None:
        return Outcome(reason=NO_MEANS)
    reached = client(app, account)
    try:
        intent = await _made_before(reached, purchase)
        if intent is None:
            means = await _means(reached, customer_id)
            if means is None:
                return Outcome(reason=NO_MEANS)
            intent = await _intend(reached, purchase, customer_id, means)
        outcome = outcome_of(intent.id, intent.status)
        if outcome.reason:
            # Nobody shall pay for it later: whoever asked hears that it is not paid.
            await reached.v1.payment_intents.cancel_async(
                intent.id, {}, {"idempotency_key": f"purchase-cancel:{purchase.id}"}
            )
        return outcome
    except stripe.CardError as error:
        return Outcome(reason=error.user_message or "The card was declined.")
    except UNREACHABLE as error:
        raise RetryLater(AGAIN, "Stripe cannot be reached") from error
    except stripe.APIError as error:
        raise RetryLater(AGAIN, "Stripe is in trouble") from error


def outcome_of(intent_id: str, status: str) -> Outcome:
    """What a PaymentIntent's status means to a purchase."""
    if status == "succeeded":
        return Outcome(intent_id)
    if status == "processing":
        return Outcome(intent_id, under_way=True)
    return Outcome(
        intent_id, reason="The bank asks the cardholder to confirm: pay for it in the customer portal."
    )


async def charged(tx: Transaction, job: Job, outcome: Outcome) -> None:
    """Write it down and answer whoever asked."""
    if outcome.under_way:
        return
    held = await purchases.lock(tx, [(job.org, job.payload.purchase_id)])
    for purchase in held.values():
        await purchasing.settle(tx, purchase, job.cause, outcome.intent_id, outcome.reason)


async def give_back(app: App, job: Job) -> str:
    """Have the money given back; in words, why it is not."""
    purchase, _ = await _known(app, job)
    account = await keys(app, PLATFORM_ORG)
    if purchase is None or purchase.intent_id is None or account is None:
        return "The payment is not known to Stripe."
    try:
        made = await client(app, account).v1.refunds.create_async(
            {"payment_intent": purchase.intent_id, "metadata": _marks(purchase)},
            {"idempotency_key": f"purchase-refund:{job.key}"},
        )
    except stripe.InvalidRequestError as error:
        return "" if error.code == "charge_already_refunded" else str(error.user_message or error)
    except (*UNREACHABLE, stripe.APIError) as error:
        raise RetryLater(AGAIN, "Stripe cannot be reached") from error
    return "Stripe could not give it back." if made.status in ("failed", "canceled") else ""


async def given_back(tx: Transaction, job: Job, reason: str) -> None:
    """Write it down and answer whoever asked."""
    held = await purchases.lock(tx, [(job.org, job.payload.purchase_id)])
    for purchase in held.values():
        await purchasing.settle_refund(tx, purchase, job.cause, reason)


async def _known(app: App, job: Job) -> tuple[Purchase | None, str | None]:
    async with app.db.transaction(job.org) as tx:
        purchase = await purchases.read(tx, job.org, job.payload.purchase_id)
        known = await store.customer(tx, job.org)
    return purchase, known["customer_id"]


async def _made_before(reached: stripe.StripeClient, purchase: Purchase) -> Any:
    """The intent of an attempt so long ago that its key may be forgotten."""
    if datetime.now(UTC) - purchase.created_at < KEYS_LAST:
        return None
    query = f"metadata['purchase_id']:'{purchase.id}'"
    found = await reached.v1.payment_intents.search_async({"query": query, "limit": 1})
    return found.data[0] if found.data else None


async def _means(reached: stripe.StripeClient, customer_id: str) -> str | None:
    """The customer's default means of payment, or the one there is."""
    customer = await reached.v1.customers.retrieve_async(customer_id)
    settings = getattr(customer, "invoice_settings", None)
    chosen = settings.default_payment_method if settings is not None else None
    if chosen is not None:
        return chosen if isinstance(chosen, str) else chosen.id
    listed = await reached.v1.customers.payment_methods.list_async(customer_id, {"limit": 1})
    return listed.data[0].id if listed.data else None


async def _intend(
    reached: stripe.StripeClient, purchase: Purchase, customer_id: str, means: str
) -> stripe.PaymentIntent:
    return await reached.v1.payment_intents.create_async(
        {
            "amount": catalog.charged(purchase.amount_minor, purchase.currency),
            "currency": purchase.currency.lower(),
            "customer": customer_id,
            "payment_method": means,
            "off_session": True,
            "confirm": True,
            "description": purchase.purpose,
            "metadata": _marks(purchase),
        },
        {"idempotency_key": f"purchase:{purchase.id}"},
    )


def _marks(purchase: Purchase) -> dict[str, str]:
    return {"organization_id": str(purchase.organization_id), "purchase_id": str(purchase.id)}


async def _charge_unclear(tx: Transaction, job: Job, error: Exception) -> None:
    """A mistake of ours, again and again: nothing was charged that our mark would not find."""
    log.error("stripe.gave_up", kind=job.kind, org=str(job.org), key=job.key, error=repr(error))
    await charged(tx, job, Outcome(reason="Stripe could not be asked to take it."))


async def _refund_unclear(tx: Transaction, job: Job, error: Exception) -> None:
    log.error("stripe.gave_up", kind=job.kind, org=str(job.org), key=job.key, error=repr(error))
    await given_back(tx, job, "Stripe could not be asked to give it back.")


charge_job = JobKind(CHARGE, Charge, charge, charged, _charge_unclear, attempts=8)
give_back_job = JobKind(GIVE_BACK, Charge, give_back, given_back, _refund_unclear, attempts=8)
