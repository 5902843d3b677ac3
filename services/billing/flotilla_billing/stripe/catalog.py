"""Plans as Stripe's products, prices and meters: found by our own names for them, made where there are none."""

from typing import Any, Final

import stripe

from flotilla_billing.domain.plans import Plan, plans

PRODUCT_EXISTS: Final = "resource_already_exists"
_OF_A_HUNDRED: Final = frozenset({"ISK", "UGX"})
"""Stripe counts these in hundredths, ISO 4217 doesn't."""


def charged(amount_minor: int, currency: str) -> int:
    """An amount as Stripe counts it."""
    return amount_minor * 100 if currency in _OF_A_HUNDRED else amount_minor


def received(amount: int, currency: str) -> int:
    """An amount of Stripe's in minor units."""
    return amount // 100 if currency in _OF_A_HUNDRED else amount


def price_key(slug: str, plan: Plan, feature: str = "") -> str:
    """What a price is looked up by: another version is another price."""
    return f"flotilla_{slug}_v{plan.version}" + (f"_{feature}" if feature else "")


def meter_name(feature: str) -> str:
    """The event that a feature's use past the limit is told under."""
    return f"flotilla_{feature}"


async def items(client: stripe.StripeClient, slug: str) -> list[dict[str, Any]]:
    """What a subscription to the plan consists of: its price, and a metered one for each feature charged for."""
    plan = plans().plans[slug]
    product = await _product(client, slug, plan)
    flat = {"unit_amount": charged(plan.price.amount_minor, plan.price.currency)}
    base = await _price(client, price_key(slug, plan), product, plan, flat, {"interval": "month"})
    found: list[dict[str, Any]] = [{"price": base, "quantity": 1}]
    for feature, allowance in plan.features.items():
        if allowance.overage is None:
            continue
        metered = {
            "unit_amount": charged(allowance.overage.amount_minor, plan.price.currency),
            "transform_quantity": {"divide_by": allowance.overage.per, "round": "up"},
        }
        recurring = {
            "interval": "month",
            "usage_type": "metered",
            "meter": await _meter(client, feature),
        }
        key = price_key(slug, plan, feature)
        found.append({"price": await _price(client, key, product, plan, metered, recurring)})
    return found


async def _product(client: stripe.StripeClient, slug: str, plan: Plan) -> str:
    id_ = f"flotilla_{slug}"
    try:
        made = await client.v1.products.create_async(
            {"id": id_, "name": f"Flotilla {plan.title}"}, {"idempotency_key": f"product:{slug}"}
        )
    except stripe.InvalidRequestError as error:
        if error.code != PRODUCT_EXISTS:
            raise
        return id_
    return made.id


async def _price(
    client: stripe.StripeClient,
    key: str,
    product: str,
    plan: Plan,
    amount: dict[str, Any],
    recurring: dict[str, Any],
) -> str:
    listed = await client.v1.prices.list_async({"lookup_keys": [key], "limit": 1})
    for price in listed.data:
        if price.lookup_key == key:
            return price.id
    wanted: Any = {
        "product": product,
        "currency": plan.price.currency.lower(),
        "lookup_key": key,
        "recurring": recurring,
        **amount,
    }
    return (await client.v1.prices.create_async(wanted, {"idempotency_key": f"price:{key}"})).id


async def _meter(client: stripe.StripeClient, feature: str) -> str:
    name = meter_name(feature)
    listed = await client.v1.billing.meters.list_async({"status": "active", "limit": 100})
    for meter in listed.data:
        if meter.event_name == name:
            return meter.id
    made = await client.v1.billing.meters.create_async(
        {
            "display_name": plans().features[feature].title,
            "event_name": name,
            "default_aggregation": {"formula": "sum"},
        },
        {"idempotency_key": f"meter:{name}"},
    )
    return made.id
