"""/v1/plans, /v1/subscription, /v1/usage."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from fastapi import Request, Response
from flotilla.http import (
    ConflictError,
    NotFoundError,
    Routes,
    Tx,
    UnprocessableError,
    Who,
    check_if_match,
    set_etag,
)
from flotilla.http.bodies import Shown, Written
from flotilla.store.postgres import Transaction
from pydantic import AwareDatetime

from flotilla_billing.api.values import MoneyOut
from flotilla_billing.domain.entitlements import Entitlement, period_after, period_of
from flotilla_billing.domain.plans import plans
from flotilla_billing.domain.subscriptions import Subscription, SubscriptionState
from flotilla_billing.settings import settings_of
from flotilla_billing.store import subscriptions as store
from flotilla_billing.store import usage
from flotilla_billing.subscribing import change

plan_routes = Routes("/v1/plans", tag="billing")
routes = Routes("/v1/subscription", tag="billing")
usage_routes = Routes("/v1/usage", tag="billing")

MONTHS = timedelta(days=366)


class AllowanceOut(Written):
    """How much of a feature a plan allows; no limit: as much as one likes."""

    feature: str
    title: str
    limit: int | None
    beyond: Literal["block", "overage"]
    overage: MoneyOut | None
    overage_per: int | None


class PlanOut(Written):
    """A plan; its price is for a calendar month."""

    slug: str
    title: str
    price: MoneyOut
    features: list[AllowanceOut]


class PlansOut(Written):
    """All plans, in the order in which they grow."""

    items: list[PlanOut]


class SubscriptionOut(Shown):
    """The organization's subscription."""

    plan: str
    state: Literal["trialing", "active", "past_due", "cancelled"]
    provider: Literal["local", "stripe"]
    trial_ends_at: AwareDatetime | None
    period_started_at: AwareDatetime
    period_ends_at: AwareDatetime
    cancel_at_period_end: bool
    grace_ends_at: AwareDatetime | None
    """While it is `past_due`: when the plan is lost, if nothing is paid until then."""


class PlanIn(Written):
    """The plan that is wanted."""

    plan: str


class UsageOut(Written):
    """What may be used of a feature, and what was, in this period."""

    feature: str
    title: str
    enabled: bool
    limit: int | None
    used: int
    percent: float | None
    """Of the limit."""
    beyond: Literal["block", "overage"]
    blocked: bool
    overage: MoneyOut | None
    """What the use past the limit costs, up to now."""
    period_started_at: AwareDatetime
    period_ends_at: AwareDatetime


class PeriodOut(Written):
    """What was used of a feature in one period."""

    feature: str
    period_started_at: AwareDatetime
    used: int


class UsagePage(Written):
    """Usage now, and what it was in the months before, the latest first."""

    items: list[UsageOut]
    history: list[PeriodOut]


@plan_routes.get("", permission="billing:read")
async def list_plans() -> PlansOut:
    """What there is to subscribe to."""
    return PlansOut(items=[_plan(slug) for slug in plans().plans])


@routes.get("", permission="billing:read")
async def read_subscription(tx: Tx, who: Who, response: Response) -> SubscriptionOut:
    """The organization's subscription; 404 in the first moments of an organization."""
    subscription = await there(tx, who.org)
    set_etag(response, subscription.sequence)
    return SubscriptionOut.model_validate(subscription)


@routes.put("", permission="billing:write", recent=True)
async def change_plan(
    body: PlanIn, tx: Tx, who: Who, request: Request, response: Response
) -> SubscriptionOut:
    """Change to another plan at once; one that is paid through Stripe is changed by a checkout."""
    if body.plan not in plans().plans:
        detail = f"There is no such plan; there are {', '.join(plans().plans)}."
        raise UnprocessableError(detail, errors=[{"pointer": "/plan", "detail": detail}])
    subscription = await there(tx, who.org, lock=True)
    check_if_match(request, subscription.sequence)
    if subscription.provider != "local" or settings_of(tx).sells_through_stripe:
        raise ConflictError("Plans are paid through Stripe here: POST /v1/subscription/checkouts.")
    if subscription.state is SubscriptionState.PAST_DUE and plans().plans[body.plan].price.amount_minor > 0:
        raise ConflictError("Pay what is owed first: POST /v1/wallet/top-ups.")
    wanted = subscription.on(body.plan, datetime.now(UTC))
    if (subscription.plan, subscription.state) != (wanted.plan, wanted.state):
        subscription = await change(tx, subscription, wanted)
    set_etag(response, subscription.sequence)
    return SubscriptionOut.model_validate(subscription)


@usage_routes.get("", permission="billing:read")
async def read_usage(tx: Tx, who: Who) -> UsagePage:
    """What was used of each feature, and what is left."""
    now = datetime.now(UTC)
    subscription = await there(tx, who.org)
    items = [
        _usage(each, subscription.plan, period_of(now)) for each in await store.entitlements(tx, who.org)
    ]
    history = await usage.periods(tx, who.org, period_of(now - MONTHS))
    return UsagePage(items=items, history=[PeriodOut.model_validate(dict(row)) for row in history])


async def there(tx: Transaction, org: UUID, *, lock: bool = False) -> Subscription:
    """The organization's subscription; 404 where it has none yet."""
    subscription = await store.read(tx, org, lock=lock)
    if subscription is None:
        raise NotFoundError("The organization is being set up: try again in a moment.")
    return subscription


def _plan(slug: str) -> PlanOut:
    plan = plans().plans[slug]
    features = [
        AllowanceOut(
            feature=name,
            title=plans().features[name].title,
            limit=allowance.limit,
            beyond=allowance.beyond,
            overage=allowance.overage
            and MoneyOut(amount_minor=allowance.overage.amount_minor, currency=plan.price.currency),
            overage_per=allowance.overage and allowance.overage.per,
        )
        for name, allowance in plan.features.items()
    ]
    return PlanOut(slug=slug, title=plan.title, price=MoneyOut.of(plan.price), features=features)


def _usage(entitlement: Entitlement, plan: str, period: datetime) -> UsageOut:
    feature = plans().features[entitlement.feature]
    now = entitlement.at(period, resets=plans().resets(entitlement.feature))
    return UsageOut(
        feature=now.feature,
        title=feature.title,
        enabled=now.enabled,
        limit=now.usage_limit,
        used=now.used,
        percent=round(now.used * 100 / now.usage_limit, 1) if now.usage_limit else None,
        beyond="overage" if now.beyond == "overage" else "block",
        blocked=now.blocked,
        overage=_overage(now, plan),
        period_started_at=now.period_started_at,
        period_ends_at=period_after(now.period_started_at),
    )


def _overage(entitlement: Entitlement, plan: str) -> MoneyOut | None:
    allowance = plans().allowance(plan, entitlement.feature)
    if allowance is None or allowance.overage is None:
        return None
    cost = allowance.overage.cost(entitlement.used - (allowance.limit or 0))
    return MoneyOut(amount_minor=cost, currency=plans().plans[plan].price.currency)
