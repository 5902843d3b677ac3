"""Checkouts: a page of Stripe's on which a plan, or an invoice, is paid. Made by a leased job."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import stripe
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.ids import PLATFORM_ORG
from flotilla.store.postgres import Transaction

from flotilla_billing.domain.invoices import Invoice
from flotilla_billing.store import invoices
from flotilla_billing.store import stripe as store
from flotilla_billing.stripe import catalog
from flotilla_billing.stripe.client import client, keys, settings_of

CHECKOUT: Final = "stripe_checkout"
BUSY: Final = timedelta(seconds=5)
NO_ACCOUNT: Final = "There are no keys of a Stripe account any more."


class Wanted(msgspec.Struct, frozen=True):
    """The checkout to be made."""

    checkout_id: UUID
    plan: str | None
    invoice_id: UUID | None


@dataclass(frozen=True, slots=True)
class Opened:
    """Where it is paid."""

    session_id: str
    url: str | None
    customer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Stripe's no, for people to read."""

    reason: str


async def ask(tx: Transaction, org: UUID, *, plan: str | None = None, invoice_id: UUID | None = None) -> UUID:
    """Have a checkout made: its id."""
    checkout_id = tx.app.new_id()
    await tx.execute(store.ADD_CHECKOUT, org, checkout_id, plan, invoice_id)
    tx.enqueue(CHECKOUT, str(checkout_id), Wanted(checkout_id, plan, invoice_id), org=org)
    return checkout_id


async def perform(app: App, job: Job) -> Opened | Refused:
    """Make it; under one key, however often it is tried."""
    wanted: Wanted = job.payload
    account = await keys(app, PLATFORM_ORG if wanted.plan else job.org)
    if account is None:
        return Refused(NO_ACCOUNT)
    reached = client(app, account)
    try:
        if wanted.plan is not None:
            return await _for_plan(app, job, reached, wanted.plan)
        return await _for_invoice(app, job, reached)
    except stripe.RateLimitError as error:
        raise RetryLater(BUSY, "Stripe is busy") from error
    except (stripe.InvalidRequestError, stripe.AuthenticationError, stripe.PermissionError) as error:
        return Refused(error.user_message or "Stripe refuses it.")


async def _for_plan(app: App, job: Job, reached: stripe.StripeClient, plan: str) -> Opened:
    async with app.db.transaction(job.org) as tx:
        known = await store.customer(tx, job.org)
        name = await tx.fetchval(store.ORGANIZATION, job.org)
    metadata = {"organization_id": str(job.org), "checkout_id": str(job.payload.checkout_id), "plan": plan}
    customer_id = known["customer_id"]
    if customer_id is None:
        made = await reached.v1.customers.create_async(
            {"name": name or str(job.org), "metadata": {"organization_id": str(job.org)}},
            {"idempotency_key": f"customer:{job.org}"},
        )
        customer_id = made.id
    lines: Any = await catalog.items(reached, plan)
    session = await reached.v1.checkout.sessions.create_async(
        {
            "mode": "subscription",
            "customer": customer_id,
            "client_reference_id": str(job.org),
            "line_items": lines,
            "metadata": metadata,
            "subscription_data": {"metadata": metadata},
            "success_url": _back(app),
            "cancel_url": _back(app),
        },
        {"idempotency_key": f"checkout:{job.key}"},
    )
    return Opened(session.id, session.url, customer_id)


async def _for_invoice(app: App, job: Job, reached: stripe.StripeClient) -> Opened | Refused:
    async with app.db.transaction(job.org) as tx:
        invoice = await invoices.read(tx, job.org, job.payload.invoice_id)
    if invoice is None or invoice.open_minor <= 0:
        return Refused("Nothing is left to pay.")
    metadata = {
        "organization_id": str(job.org),
        "checkout_id": str(job.payload.checkout_id),
        "invoice_id": str(invoice.id),
    }
    session = await reached.v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "client_reference_id": str(invoice.id),
            "line_items": [{"quantity": 1, "price_data": _open_amount(invoice)}],
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "success_url": _back(app),
        },
        {"idempotency_key": f"checkout:{job.key}"},
    )
    return Opened(session.id, session.url)


def _open_amount(invoice: Invoice) -> Any:
    return {
        "currency": invoice.currency.lower(),
        "unit_amount": catalog.charged(invoice.open_minor, invoice.currency),
        "product_data": {"name": invoice.name or ""},
    }


def _back(app: App) -> str:
    return settings_of(app).public_url.rstrip("/") + "/billing"


async def finish(tx: Transaction, job: Job, result: Opened | Refused) -> None:
    """Write where it is paid, or why not."""
    wanted: Wanted = job.payload
    if isinstance(result, Refused):
        await tx.execute(store.CHECKOUT_FAILED, job.org, wanted.checkout_id, result.reason)
        return
    await tx.execute(store.CHECKOUT_OPENED, job.org, wanted.checkout_id, result.session_id, result.url)
    if result.customer_id is not None:
        await tx.execute(store.SAVE_CUSTOMER, job.org, result.customer_id, None)


async def give_up(tx: Transaction, job: Job, _: Exception) -> None:
    """Stripe couldn't be reached for long."""
    reason = "Stripe did not answer: try again later."
    await tx.execute(store.CHECKOUT_FAILED, job.org, job.payload.checkout_id, reason)


checkout_job = JobKind(CHECKOUT, Wanted, perform, finish, give_up, lease=timedelta(seconds=90), attempts=6)
