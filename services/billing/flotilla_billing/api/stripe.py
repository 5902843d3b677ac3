"""Stripe over HTTP: an organization's account, checkouts, and the hook that Stripe calls."""

from typing import Final, Literal
from uuid import UUID

from fastapi import Request
from flotilla.http import (
    ConflictError,
    CurrentApp,
    NotFoundError,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    note_change,
)
from flotilla.http.bodies import Shown, Written, raw_body
from flotilla.problems import TooLargeError
from flotilla.store.postgres import Row
from prometheus_client import Counter
from pydantic import AwareDatetime, Field, SecretStr

from flotilla_billing.api.invoices import held
from flotilla_billing.api.subscription import there
from flotilla_billing.api.values import conflict
from flotilla_billing.domain.invoices import NotPossibleError
from flotilla_billing.domain.plans import plans
from flotilla_billing.domain.subscriptions import SubscriptionState
from flotilla_billing.settings import settings_of
from flotilla_billing.store import stripe as store
from flotilla_billing.stripe import checkouts
from flotilla_billing.stripe.client import Keys, named, seal, unseal
from flotilla_billing.stripe.subscriptions import CANCEL, Ending
from flotilla_billing.stripe.webhooks import take
from flotilla_billing.subscribing import change

accounts = Routes("/v1/stripe-account", tag="billing")
paying = Routes("/v1", tag="billing")
hooks = Routes("/v1/hooks/stripe", tag="hooks")

MAX_BYTES: Final = 256 * 1024
HOOKS: Final = Counter("flotilla_stripe_events_total", "Stripe's events, by what became of them", ["outcome"])


class AccountIn(Written):
    """Keys of a Stripe account, and the secret of its webhook's endpoint."""

    secret_key: SecretStr = Field(min_length=10, max_length=300)
    webhook_secret: SecretStr = Field(min_length=10, max_length=300)


class AccountOut(Written):
    """Where the account's webhook has to point."""

    connected: bool
    hook_url: str


class CheckoutPlanIn(Written):
    """The plan to be paid for."""

    plan: str


class CheckoutOut(Shown):
    """A page of Stripe's on which something is paid; `url` once it is open."""

    id: UUID
    state: Literal["pending", "open", "completed", "failed"]
    plan: str | None
    invoice_id: UUID | None
    url: str | None
    reason: str | None
    created_at: AwareDatetime


class EndingIn(Written):
    """Whether it shall end with its period, or go on."""

    cancel_at_period_end: bool


class HookAnswer(Written):
    """It was taken."""

    outcome: str


@accounts.put("", permission="billing:write", recent=True)
async def connect_stripe(body: AccountIn, tx: Tx, who: Who) -> AccountOut:
    """Have customers pay invoices through the organization's own Stripe account."""
    given = Keys(body.secret_key.get_secret_value(), body.webhook_secret.get_secret_value())
    note_change(await _account(tx, who.org), named(given))
    await tx.execute(store.SAVE_ACCOUNT, who.org, seal(tx.app, who.org, given))
    return AccountOut(connected=True, hook_url=_hook_url(tx, who.org))


@accounts.get("", permission="billing:read")
async def read_stripe(tx: Tx, who: Who) -> AccountOut:
    """Whether it is connected; its keys are never shown."""
    sealed = await store.sealed_account(tx, who.org)
    return AccountOut(connected=sealed is not None, hook_url=_hook_url(tx, who.org))


@accounts.delete("", permission="billing:write", recent=True, status_code=204)
async def disconnect_stripe(tx: Tx, who: Who) -> None:
    """Forget its keys."""
    note_change(await _account(tx, who.org), None)
    await tx.execute(store.FORGET_ACCOUNT, who.org)


@paying.post("/invoices/{invoice_id}/checkouts", permission="invoices:write", status_code=202)
async def check_out_invoice(invoice_id: UUID, tx: Tx, who: Who, request: Request) -> CheckoutOut:
    """Have a payment link made for what is left to pay; ask for it at /v1/checkouts/{id}."""
    invoice = await held(tx, who.org, invoice_id, request)
    try:
        invoice.check_payable(invoice.open_minor)
    except NotPossibleError as error:
        raise conflict(error) from None
    if await store.sealed_account(tx, who.org) is None:
        raise ConflictError("Connect a Stripe account first: PUT /v1/stripe-account.")
    return await _shown(tx, who.org, await checkouts.ask(tx, who.org, invoice_id=invoice_id))


@paying.post("/subscription/checkouts", permission="billing:write", recent=False, status_code=202)
async def check_out_plan(body: CheckoutPlanIn, tx: Tx, who: Who) -> CheckoutOut:
    """Have a page made on which the plan is paid; ask for it at /v1/checkouts/{id}."""
    plan = plans().plans.get(body.plan)
    if plan is None or plan.price.amount_minor == 0:
        detail = "There is no such plan that is paid for."
        raise UnprocessableError(detail, errors=[{"pointer": "/plan", "detail": detail}])
    if not settings_of(tx).sells_through_stripe:
        raise ConflictError("Plans are not paid for here: PUT /v1/subscription.")
    if (await there(tx, who.org)).provider == "stripe":
        raise ConflictError("There is a paid subscription already: end it first.")
    return await _shown(tx, who.org, await checkouts.ask(tx, who.org, plan=body.plan))


@paying.get("/checkouts/{checkout_id}", permission="invoices:read")
async def read_checkout(checkout_id: UUID, tx: Tx, who: Who) -> CheckoutOut:
    """One checkout."""
    return await _shown(tx, who.org, checkout_id)


@paying.post("/subscription/ending", permission="billing:write", recent=True, status_code=202)
async def end_subscription(body: EndingIn, tx: Tx, who: Who) -> None:
    """Have a paid subscription end with its period, or go on after all; one that is not paid ends at once."""
    subscription = await there(tx, who.org, lock=True)
    if subscription.provider == "stripe":
        key = f"{who.org}:{tx.app.new_id()}"
        tx.enqueue(CANCEL, key, Ending(body.cancel_at_period_end), org=who.org)
    elif body.cancel_at_period_end and subscription.state is not SubscriptionState.CANCELLED:
        await change(tx, subscription, subscription.ended())


@hooks.post(
    "/{owner}", permission="public", limit="hook", sent=raw_body("application/json", {"type": "object"})
)
async def receive_stripe_hook(owner: UUID, request: Request, app: CurrentApp) -> HookAnswer:
    """Take what Stripe tells of the account of `owner`; the platform's own is at the nil UUID.

    Answered after the commit; an event that comes again changes nothing.
    """
    outcome = await take(app, owner, await _body(request), request.headers.get("stripe-signature"))
    HOOKS.labels(outcome).inc()
    return HookAnswer(outcome=outcome)


async def _shown(tx: Tx, org: UUID, checkout_id: UUID) -> CheckoutOut:
    row: Row | None = await store.checkout(tx, org, checkout_id)
    if row is None:
        raise NotFoundError("There is no checkout with this id.")
    return CheckoutOut.model_validate(dict(row))


async def _account(tx: Tx, org: UUID) -> dict[str, str] | None:
    """By what people know the account that is connected."""
    sealed = await store.sealed_account(tx, org)
    return None if sealed is None else named(unseal(tx.app, org, sealed))


def _hook_url(tx: Tx, org: UUID) -> str:
    return f"{settings_of(tx).public_url.rstrip('/')}/v1/hooks/stripe/{org}"


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise TooLargeError(f"A webhook has at most {MAX_BYTES} bytes.")
        parts.append(part)
    return b"".join(parts)
