"""Subscriptions at Stripe: use past the limit told to its meters, endings asked for, states asked about."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import stripe
import structlog
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.ids import PLATFORM_ORG
from flotilla.store.postgres import Transaction

from flotilla_billing.store import stripe as store
from flotilla_billing.stripe.applying import StripeSubscription, apply_subscription
from flotilla_billing.stripe.catalog import meter_name
from flotilla_billing.stripe.client import client, keys

log = structlog.get_logger()

METER: Final = "stripe_meter"
CANCEL: Final = "stripe_cancel"
REFRESH: Final = "stripe_refresh"
BUSY: Final = timedelta(seconds=5)


class Metered(msgspec.Struct, frozen=True):
    """So much use past the limit."""

    feature: str
    amount: int
    at: datetime


class Ending(msgspec.Struct, frozen=True):
    """Whether it shall end with its period."""

    cancel: bool


class Asked(msgspec.Struct, frozen=True):
    """The subscription whose state is not sure."""

    subscription_id: str


async def _reached(app: App, job: Job) -> tuple[stripe.StripeClient, dict[str, Any]] | None:
    account = await keys(app, PLATFORM_ORG)
    async with app.db.transaction(job.org) as tx:
        known = dict(await store.customer(tx, job.org))
    return None if account is None else (client(app, account), known)


async def tell_meter(app: App, job: Job) -> None:
    """Tell Stripe; it knows a repetition by the identifier."""
    metered: Metered = job.payload
    reached = await _reached(app, job)
    if reached is None or reached[1]["customer_id"] is None:
        return
    try:
        await reached[0].v1.billing.meter_events.create_async(
            {
                "event_name": meter_name(metered.feature),
                "identifier": job.key,
                "timestamp": int(metered.at.timestamp()),
                "payload": {
                    "value": str(metered.amount),
                    "stripe_customer_id": reached[1]["customer_id"],
                },
            },
            {"idempotency_key": f"meter:{job.key}"},
        )
    except stripe.RateLimitError as error:
        raise RetryLater(BUSY, "Stripe is busy") from error


async def end_with_period(app: App, job: Job) -> None:
    """Have it end with its period, or go on; the webhook tells what became of it."""
    ending: Ending = job.payload
    reached = await _reached(app, job)
    if reached is None or reached[1]["subscription_id"] is None:
        return
    await reached[0].v1.subscriptions.update_async(
        reached[1]["subscription_id"],
        {"cancel_at_period_end": ending.cancel},
        {"idempotency_key": f"cancel:{job.key}"},
    )


async def fetch(app: App, job: Job) -> tuple[datetime, StripeSubscription] | None:
    """Its state as it is now."""
    reached = await _reached(app, job)
    if reached is None:
        return None
    asked_at = datetime.now(UTC).replace(microsecond=0)
    found = await reached[0].v1.subscriptions.retrieve_async(job.payload.subscription_id)
    return asked_at, msgspec.convert(found.to_dict(), StripeSubscription)


async def fetched(tx: Transaction, job: Job, result: tuple[datetime, StripeSubscription] | None) -> None:
    """Apply it, unless something newer was told meanwhile."""
    if result is not None:
        await apply_subscription(tx, job.org, result[1], result[0], cause=job.cause)


async def _done(_: Transaction, __: Job, ___: None) -> None:
    """Nothing is to be written."""


async def gave_up(_: Transaction, job: Job, error: Exception) -> None:
    """Nothing is to be done but to say so."""
    log.error("stripe.gave_up", kind=job.kind, org=str(job.org), key=job.key, error=repr(error))


meter_job = JobKind(METER, Metered, tell_meter, _done, gave_up, attempts=12)
cancel_job = JobKind(CANCEL, Ending, end_with_period, _done, gave_up, attempts=8)
refresh_job = JobKind(REFRESH, Asked, fetch, fetched, gave_up, attempts=8)
