"""Stripe's webhooks: verified by its own scheme, each event taken once, answered after the commit."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import stripe
from flotilla.app import App
from flotilla.cause import Cause
from flotilla.ids import PLATFORM_ORG
from flotilla.problems import BadRequestError, NotFoundError, UnauthorizedError
from flotilla.store.postgres import Transaction

from flotilla_billing.store import stripe as store
from flotilla_billing.stripe import applying, dues
from flotilla_billing.stripe.client import keys
from flotilla_billing.stripe.subscriptions import REFRESH, Asked

TOLERANCE_SECONDS: Final = 300
"""A signature older than that is a repetition by somebody else."""


class Told(msgspec.Struct, frozen=True):
    """The object that an event is about."""

    object: dict[str, Any]


class StripeEvent(msgspec.Struct, frozen=True):
    """Stripe's event."""

    id: str
    type: str
    created: int
    data: Told

    @property
    def at(self) -> datetime:
        """When it happened, to the second."""
        return datetime.fromtimestamp(self.created, UTC)


async def take(app: App, owner: UUID, body: bytes, signature: str | None) -> str:
    """Take a webhook of the Stripe account that is `owner`'s: what became of it, for counting.

    404 where there is no such account, 401 for a wrong signature, 400 for what is no event.
    """
    account = await keys(app, owner)
    if account is None or not account.webhook_secret:
        raise NotFoundError("There is no such account.")
    try:
        stripe.WebhookSignature.verify_header(body, signature, account.webhook_secret, TOLERANCE_SECONDS)
        event = msgspec.json.decode(body, type=StripeEvent)
    except stripe.SignatureVerificationError:
        raise UnauthorizedError("The signature is wrong, or too old.") from None
    except (ValueError, msgspec.DecodeError):  # not UTF-8, or no event
        raise BadRequestError("This is no event of Stripe's.") from None
    org = owner
    if owner == PLATFORM_ORG:
        told_of = _organization(event.data.object)
        if told_of is None:
            return "ignored"
        org = told_of
    # What an organization's own account says is about its invoices, never about the plan it has.
    readers = _OF_PLANS if owner == PLATFORM_ORG else _OF_INVOICES
    if event.type not in readers:
        return "ignored"
    async with app.db.transaction(org, cause=Cause.fresh(applying.ACTOR)) as tx:
        if not await store.take_event(tx, org, event.id, event.type):
            return "known"
        shape, apply = readers[event.type]
        try:
            told = msgspec.convert(event.data.object, shape)
        except msgspec.ValidationError as error:
            raise BadRequestError(f"The {event.type} cannot be read: {error}") from None
        await apply(tx, org, event, told)
    return "taken"


async def _subscription(
    tx: Transaction, org: UUID, event: StripeEvent, told: applying.StripeSubscription
) -> None:
    if await applying.apply_subscription(tx, org, told, event.at):
        tx.enqueue(REFRESH, f"{org}:{event.id}", Asked(told.id), org=org)


async def _plan_session(tx: Transaction, org: UUID, _: StripeEvent, told: applying.StripeSession) -> None:
    await applying.apply_plan_session(tx, org, told)


async def _invoice_session(tx: Transaction, org: UUID, _: StripeEvent, told: applying.StripeSession) -> None:
    await applying.apply_invoice_session(tx, org, told)


async def _failure(
    tx: Transaction, org: UUID, event: StripeEvent, told: applying.StripePaymentIntent
) -> None:
    await applying.apply_failure(tx, org, told, event.id, event.at)


async def _due(tx: Transaction, org: UUID, event: StripeEvent, told: dues.StripeInvoice) -> None:
    await dues.apply_due(tx, org, told, event.at, paid=event.type == "invoice.paid")


async def _purchase(
    tx: Transaction, org: UUID, event: StripeEvent, told: applying.StripePaymentIntent
) -> None:
    await applying.apply_purchase(tx, org, told, failed=event.type.endswith("failed"))


async def _refund(tx: Transaction, org: UUID, _: StripeEvent, told: applying.StripeCharge) -> None:
    await applying.apply_refund(tx, org, told)


def _organization(told: Mapping[str, Any]) -> UUID | None:
    """For which organization it was made in the platform's account."""
    for metadata in (told.get("metadata"), dues.metadata_of(told)):
        if isinstance(metadata, dict) and (found := applying.named(metadata, "organization_id")) is not None:
            return found
    return None


Reader = tuple[Any, Callable[[Transaction, UUID, StripeEvent, Any], Awaitable[None]]]
"""As what it is read, and what applies it."""
_OF_PLANS: Final[dict[str, Reader]] = {
    **dict.fromkeys(
        (
            "customer.subscription.created",
            "customer.subscription.updated",
            "customer.subscription.deleted",
            "customer.subscription.paused",
            "customer.subscription.resumed",
        ),
        (applying.StripeSubscription, _subscription),
    ),
    "checkout.session.completed": (applying.StripeSession, _plan_session),
    "invoice.payment_failed": (dues.StripeInvoice, _due),
    "invoice.paid": (dues.StripeInvoice, _due),
    "payment_intent.succeeded": (applying.StripePaymentIntent, _purchase),
    "payment_intent.payment_failed": (applying.StripePaymentIntent, _purchase),
}
_OF_INVOICES: Final[dict[str, Reader]] = {
    "checkout.session.completed": (applying.StripeSession, _invoice_session),
    "checkout.session.async_payment_succeeded": (applying.StripeSession, _invoice_session),
    "payment_intent.payment_failed": (applying.StripePaymentIntent, _failure),
    "charge.refunded": (applying.StripeCharge, _refund),
}
