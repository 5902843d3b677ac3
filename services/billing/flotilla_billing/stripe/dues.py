"""Stripe's invoices for subscriptions: one that is not paid begins the dunning, one that is ends it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import stripe
from flotilla.app import App
from flotilla.bus.declare import Job, JobKind
from flotilla.cause import Cause
from flotilla.ids import PLATFORM_ORG
from flotilla.store.postgres import Transaction

from flotilla_billing import dunning
from flotilla_billing.dunning import END, Ended
from flotilla_billing.store import stripe as store
from flotilla_billing.store import subscriptions
from flotilla_billing.stripe.applying import ACTOR, StripeSubscription, apply_subscription
from flotilla_billing.stripe.client import client, keys
from flotilla_billing.stripe.subscriptions import gave_up


class _Details(msgspec.Struct, frozen=True):
    subscription: str | None = None
    metadata: dict[str, str] | None = None


class _Parent(msgspec.Struct, frozen=True):
    subscription_details: _Details | None = None


class StripeInvoice(msgspec.Struct, frozen=True):
    """Stripe's invoice, as far as it matters here."""

    id: str
    parent: _Parent | None = None
    subscription: str | None = None
    """Where versions of its API before 2025 have it."""

    @property
    def subscription_id(self) -> str | None:
        """Which subscription it is for; None for one of another kind."""
        details = self.parent.subscription_details if self.parent is not None else None
        return details.subscription if details is not None else self.subscription


def metadata_of(invoice: Mapping[str, Any]) -> Any:
    """What we wrote on the subscription that an invoice is for: Stripe copies it there."""
    parent = invoice.get("parent") or {}
    details = parent.get("subscription_details") or invoice.get("subscription_details") or {}
    return details.get("metadata")


async def apply_due(tx: Transaction, org: UUID, told: StripeInvoice, at: datetime, *, paid: bool) -> None:
    """An invoice's newest state; one that was paid stays so, whatever comes late."""
    if told.subscription_id is None or await store.take_object(tx, org, told.id, at, ended=paid) is None:
        return
    before = await subscriptions.read(tx, org, lock=True)
    known = await store.customer(tx, org)
    if before is None or before.provider != "stripe" or known["subscription_id"] != told.subscription_id:
        return  # of a subscription that is not in force: nobody loses a plan by it
    cause = Cause.fresh(ACTOR)
    if paid:
        await dunning.settle(tx, before, told.id, cause)
    else:
        await dunning.fall_due(tx, before, told.id, at, cause)


async def end(app: App, job: Job) -> tuple[datetime, StripeSubscription] | None:
    """End a subscription that was not paid for; where it was in the last moment, its state instead."""
    account, ending = await keys(app, PLATFORM_ORG), job.payload.subscription_id
    if account is None or ending is None:
        return None
    reached, asked_at = client(app, account), datetime.now(UTC).replace(microsecond=0)
    found = await reached.v1.subscriptions.retrieve_async(ending)
    if found.status == "active":
        return asked_at, msgspec.convert(found.to_dict(), StripeSubscription)
    try:
        await reached.v1.subscriptions.cancel_async(found.id, {}, {"idempotency_key": f"end:{job.key}"})
    except stripe.InvalidRequestError as error:
        if error.code != "resource_missing":  # it has ended already
            raise
    return None


async def ended(tx: Transaction, job: Job, result: tuple[datetime, StripeSubscription] | None) -> None:
    """The webhook tells of the end; what was paid in the last moment is in force again."""
    if result is not None:
        await apply_subscription(tx, job.org, result[1], result[0], cause=job.cause)


end_job = JobKind(END, Ended, end, ended, gave_up, attempts=12)
