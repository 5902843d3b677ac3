"""What an owner has done at Stripe: another plan, what it would cost, the customer portal, tax ids."""

from typing import Annotated, Any, Literal
from uuid import UUID

from flotilla.http import ConflictError, NotFoundError, Routes, Tx, UnprocessableError, Who
from flotilla.http.bodies import Shown, Written
from pydantic import AwareDatetime, Field, StringConstraints

from flotilla_billing.api.subscription import there
from flotilla_billing.domain.plans import plans
from flotilla_billing.store import stripe as store
from flotilla_billing.stripe import errands

routes = Routes("/v1", tag="billing")

TaxValue = Annotated[str, StringConstraints(strip_whitespace=True, min_length=4, max_length=40)]


class PlanChangeIn(Written):
    """The plan that the paid subscription shall be on."""

    plan: str
    prorated_at: AwareDatetime | None = None
    """Of a preview: the change then costs what it said."""


class PlanPreviewIn(Written):
    """The plan that might be wanted."""

    plan: str


class TaxIdIn(Written):
    """A tax id as Stripe knows its types: `eu_vat`, `gb_vat`, `ua_vat`, …"""

    type: str = Field(pattern=r"^[a-z]{2,3}_[a-z0-9_]{2,20}$", examples=["eu_vat"])
    value: TaxValue = Field(examples=["DE123456789"])


class StripeRequestOut(Shown):
    """What was asked of Stripe; `result` once it is `done`.

    Of a preview: `currency`, `due_minor`, `lines`, `prorated_at`; of a portal: `url`; of a tax id: `id`,
    `verification`.
    """

    id: UUID
    kind: Literal["preview", "change", "portal", "tax_id"]
    state: Literal["pending", "done", "failed"]
    result: dict[str, Any] | None
    reason: str | None
    created_at: AwareDatetime


@routes.post("/subscription/previews", permission="billing:write", recent=False, status_code=202)
async def preview_plan(body: PlanPreviewIn, tx: Tx, who: Who) -> StripeRequestOut:
    """Ask what a change to another plan would cost now; read it at /v1/stripe-requests/{id}."""
    await _check(tx, who.org, body.plan)
    return await _shown(tx, who.org, await errands.ask(tx, who.org, "preview", plan=body.plan))


@routes.post("/subscription/changes", permission="billing:write", recent=True, status_code=202)
async def change_paid_plan(body: PlanChangeIn, tx: Tx, who: Who) -> StripeRequestOut:
    """Change the plan of a paid subscription; what was paid for the rest of the month is made good."""
    await _check(tx, who.org, body.plan)
    asked = await errands.ask(tx, who.org, "change", plan=body.plan, prorated_at=body.prorated_at)
    return await _shown(tx, who.org, asked)


@routes.post("/subscription/portals", permission="billing:write", recent=True, status_code=202)
async def open_portal(tx: Tx, who: Who) -> StripeRequestOut:
    """Ask for a link to Stripe's customer portal: cards, invoices, addresses."""
    await _paid(tx, who.org)
    return await _shown(tx, who.org, await errands.ask(tx, who.org, "portal"))


@routes.post("/subscription/tax-ids", permission="billing:write", recent=False, status_code=202)
async def add_tax_id(body: TaxIdIn, tx: Tx, who: Who) -> StripeRequestOut:
    """Have a tax id stand on Stripe's invoices for the subscription."""
    await _paid(tx, who.org)
    asked = await errands.ask(tx, who.org, "tax_id", tax_type=body.type, tax_value=body.value)
    return await _shown(tx, who.org, asked)


@routes.get("/stripe-requests/{request_id}", permission="billing:read")
async def read_stripe_request(request_id: UUID, tx: Tx, who: Who) -> StripeRequestOut:
    """What became of it."""
    return await _shown(tx, who.org, request_id)


async def _check(tx: Tx, org: UUID, plan: str) -> None:
    wanted = plans().plans.get(plan)
    if wanted is None or wanted.price.amount_minor == 0:
        detail = "There is no such plan that is paid for; to pay for none, POST /v1/subscription/ending."
        raise UnprocessableError(detail, errors=[{"pointer": "/plan", "detail": detail}])
    if (await _paid(tx, org)) == plan:
        raise ConflictError("The subscription is on this plan.")


async def _paid(tx: Tx, org: UUID) -> str:
    """The plan of the subscription at Stripe; a 409 problem where there is none."""
    subscription = await there(tx, org)
    if subscription.provider != "stripe":
        raise ConflictError("There is no subscription at Stripe: POST /v1/subscription/checkouts.")
    return subscription.plan


async def _shown(tx: Tx, org: UUID, request_id: UUID) -> StripeRequestOut:
    row = await tx.fetchrow(store.READ_REQUEST, org, request_id)
    if row is None:
        raise NotFoundError("There is no request to Stripe with this id.")
    return StripeRequestOut.model_validate(dict(row))
