"""What people ask of Stripe about a live subscription: another plan and what it would cost, the portal, tax ids.

Each is a row and a leased job under one idempotency key; what became of a subscription is told by its webhook, and
asked for besides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import stripe
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.ids import PLATFORM_ORG
from flotilla.outside_http import OutsideError
from flotilla.store.postgres import Transaction

from flotilla_billing.store import stripe as store
from flotilla_billing.stripe import catalog
from flotilla_billing.stripe.client import client, keys, settings_of
from flotilla_billing.stripe.subscriptions import REFRESH, Asked

REQUEST: Final = "stripe_request"
BUSY: Final = timedelta(seconds=5)
NOT_SUBSCRIBED: Final = "There is no subscription at Stripe: POST /v1/subscription/checkouts."
SILENT: Final = "Stripe did not answer: try again later."


class Wanted(msgspec.Struct, frozen=True):
    """What is asked, in the words of its kind."""

    request_id: UUID
    kind: str
    plan: str | None = None
    prorated_at: datetime | None = None
    """Of the preview that was agreed to: the change costs what it said."""
    tax_type: str | None = None
    tax_value: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Stripe's; no result: the reason says why."""

    result: Mapping[str, Any] | None = None
    reason: str = ""
    changed: str | None = None
    """The subscription that is another now."""


@dataclass(frozen=True, slots=True)
class _Customer:
    """At whom it is asked."""

    client: stripe.StripeClient
    id: str
    subscription_id: str | None
    key: str
    """The idempotency key of what is asked."""


async def ask(tx: Transaction, org: UUID, kind: str, **wanted: Any) -> UUID:
    """Have it done: the request's id."""
    request_id = tx.app.new_id()
    await tx.execute(store.ADD_REQUEST, org, request_id, kind)
    tx.enqueue(REQUEST, str(request_id), Wanted(request_id, kind, **wanted), org=org)
    return request_id


async def perform(app: App, job: Job) -> Reply:
    """Ask Stripe; under one key, however often it is tried."""
    wanted: Wanted = job.payload
    account = await keys(app, PLATFORM_ORG)
    async with app.db.transaction(job.org) as tx:
        known = await store.customer(tx, job.org)
    if account is None or known["customer_id"] is None:
        return Reply(reason=NOT_SUBSCRIBED)
    customer = _Customer(
        client(app, account),
        known["customer_id"],
        known["subscription_id"],
        f"{wanted.kind}:{job.key}",
    )
    try:
        match wanted.kind:
            case "portal":
                return await _portal(app, customer)
            case "tax_id":
                return await _tax_id(customer, wanted)
            case "preview":
                return await _preview(customer, wanted)
        return await _change(customer, wanted)
    except (stripe.RateLimitError, stripe.APIConnectionError, OutsideError) as error:
        raise RetryLater(BUSY, "Stripe is busy or away") from error
    except (stripe.InvalidRequestError, stripe.CardError, stripe.PermissionError) as error:
        return Reply(reason=error.user_message or "Stripe refuses it.")


async def _portal(app: App, customer: _Customer) -> Reply:
    back = settings_of(app).public_url.rstrip("/") + "/billing"
    session = await customer.client.v1.billing_portal.sessions.create_async(
        {"customer": customer.id, "return_url": back}, {"idempotency_key": customer.key}
    )
    return Reply({"url": session.url})


async def _tax_id(customer: _Customer, wanted: Wanted) -> Reply:
    given: Any = {"type": wanted.tax_type, "value": wanted.tax_value}
    made = await customer.client.v1.customers.tax_ids.create_async(
        customer.id, given, {"idempotency_key": customer.key}
    )
    status = made.verification.status if made.verification is not None else "unavailable"
    return Reply({"id": made.id, "verification": status})


async def _preview(customer: _Customer, wanted: Wanted) -> Reply:
    assert wanted.plan is not None
    if customer.subscription_id is None:
        return Reply(reason=NOT_SUBSCRIBED)
    at = datetime.now(UTC).replace(microsecond=0)
    details: Any = {
        "items": await _items(customer, wanted.plan),
        "proration_behavior": "create_prorations",
        "proration_date": int(at.timestamp()),
    }
    invoice = await customer.client.v1.invoices.create_preview_async(
        {
            "customer": customer.id,
            "subscription": customer.subscription_id,
            "subscription_details": details,
        }
    )
    currency = invoice.currency.upper()
    lines = [
        {"description": line.description or "", "amount_minor": catalog.received(line.amount, currency)}
        for line in invoice.lines.data
    ]
    due = catalog.received(invoice.amount_due, currency)
    return Reply({"currency": currency, "due_minor": due, "lines": lines, "prorated_at": at.isoformat()})


async def _change(customer: _Customer, wanted: Wanted) -> Reply:
    assert wanted.plan is not None
    if customer.subscription_id is None:
        return Reply(reason=NOT_SUBSCRIBED)
    change: Any = {
        "items": await _items(customer, wanted.plan),
        "proration_behavior": "create_prorations",
        "cancel_at_period_end": False,
        "metadata": {"plan": wanted.plan},
    }
    if wanted.prorated_at is not None:
        change["proration_date"] = int(wanted.prorated_at.timestamp())
    updated = await customer.client.v1.subscriptions.update_async(
        customer.subscription_id, change, {"idempotency_key": customer.key}
    )
    return Reply({"plan": wanted.plan}, changed=updated.id)


async def _items(customer: _Customer, plan: str) -> list[dict[str, Any]]:
    """The subscription's prices as they become: those of the plan stay or come, others go."""
    assert customer.subscription_id is not None
    wanted: Sequence[dict[str, Any]] = await catalog.items(customer.client, plan)
    found = await customer.client.v1.subscriptions.retrieve_async(customer.subscription_id)
    prices = {each["price"] for each in wanted}
    held = {item.price.id: item.id for item in found["items"].data}
    gone = [{"id": item, "deleted": True} for price, item in held.items() if price not in prices]
    return [*gone, *(each for each in wanted if each["price"] not in held)]


async def finish(tx: Transaction, job: Job, reply: Reply) -> None:
    """Write what Stripe said, and ask how the subscription is now."""
    state = "failed" if reply.result is None else "done"
    result = None if reply.result is None else dict(reply.result)
    await tx.execute(
        store.ANSWER_REQUEST, job.org, job.payload.request_id, state, result, reply.reason or None
    )
    if reply.changed is not None:
        tx.enqueue(REFRESH, f"{job.org}:{job.key}", Asked(reply.changed), org=job.org)


async def give_up(tx: Transaction, job: Job, _: Exception) -> None:
    """Stripe couldn't be asked for long."""
    await tx.execute(store.ANSWER_REQUEST, job.org, job.payload.request_id, "failed", None, SILENT)


request_job = JobKind(REQUEST, Wanted, perform, finish, give_up, lease=timedelta(seconds=90), attempts=6)
