"""Orders of shops: verified, told once for each state, whatever comes twice or late."""

import json
from typing import Any
from uuid import UUID

import pytest
from flotilla.events.base import Money
from flotilla.events.connectors import CommerceOrderChanged
from flotilla.problems import UnprocessableError
from flotilla.testing import Client, Harness, eventually
from flotilla_integrations.adapters.shop import money

from services.integrations.tests.connectors.conftest import Connected, Hooked, hmac_of
from services.integrations.tests.connectors.vendors import Vendors

SHOP = "harbour.myshopify.com"
SECRET = "shpss_of-the-app"


def shopify_order(**changes: Any) -> dict[str, Any]:
    """As in Shopify's documentation of orders/create, shortened."""
    order = {
        "id": 820982911946154508,
        "name": "#9999",
        "email": "jon@example.com",
        "created_at": "2026-11-01T12:00:00-04:00",
        "updated_at": "2026-11-01T12:00:00-04:00",
        "cancelled_at": None,
        "currency": "USD",
        "total_price": "388.00",
        "financial_status": "pending",
        "fulfillment_status": None,
        "customer": {"id": 115310627314723954, "first_name": "John", "last_name": "Smith", "phone": None},
        "line_items": [
            {"id": 1, "title": "Big Brown Bear Boots", "sku": None, "quantity": 2, "price": "74.99"},
        ],
    }
    return order | changes


@pytest.fixture
async def shop(connected: Connected) -> dict[str, Any]:
    credentials = {"access_token": "shopify-token", "api_secret": SECRET}
    return await connected("shopify", {"shop": SHOP}, credentials)


def headers(body: bytes, delivery: str, topic: str = "orders/updated") -> dict[str, str]:
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": delivery,
        "X-Shopify-Hmac-Sha256": hmac_of(SECRET, body),
    }


def told(service: Harness, org: UUID) -> list[tuple[str, int]]:
    found = service.spy.of(CommerceOrderChanged, org)
    return [(event.data.state, event.sequence) for event in found]


async def test_an_order_is_told_as_it_goes(
    service: Harness, org: UUID, shop: dict[str, Any], hooked: Hooked, vendors: Vendors
) -> None:
    assert shop["state"] == "connected"
    assert {hook["topic"] for hook in vendors.hooks["shopify"]} == {
        "orders/create",
        "orders/updated",
        "orders/delete",
    }
    steps = (
        ("a", shopify_order()),
        ("a", shopify_order()),  # delivered again
        ("b", shopify_order()),  # orders/updated tells the same
        ("c", shopify_order(financial_status="paid", updated_at="2026-11-01T12:05:00-04:00")),
        ("d", shopify_order(financial_status="authorized", updated_at="2026-11-01T12:01:00-04:00")),  # late
        ("e", shopify_order(financial_status="refunded", updated_at="2026-11-02T12:00:00-04:00")),
    )
    for delivery, order in steps:
        body = json.dumps(order).encode()
        assert (await hooked(shop, body, headers(body, delivery))).status == 200
    last = await service.spy.expect(
        CommerceOrderChanged, lambda event: event.org == org and event.data.state == "refunded"
    )
    assert told(service, org) == [("pending", 1), ("paid", 2), ("refunded", 3)]
    assert last.data.changed == {"state": ["paid", "refunded"]}
    assert last.data.total == Money(amount_minor=38_800, currency="USD")
    assert last.data.lines[0].unit_price.amount_minor == 7_499
    assert last.data.buyer is not None
    assert (last.data.buyer.name, last.data.buyer.email) == ("John Smith", "jon@example.com")
    body = json.dumps({"id": shopify_order()["id"]}).encode()
    for _ in range(2):
        assert (await hooked(shop, body, headers(body, "f", "orders/delete"))).status == 200
    await service.spy.expect(
        CommerceOrderChanged, lambda event: event.org == org and event.data.state == "deleted"
    )
    assert told(service, org)[3:] == [("deleted", 4)]


async def test_what_is_forged_or_anothers_is_refused(shop: dict[str, Any], hooked: Hooked) -> None:
    body = json.dumps(shopify_order()).encode()
    right = headers(body, "a")
    assert (await hooked(shop, body + b" ", right)).status == 401
    assert (await hooked(shop, body, right | {"X-Shopify-Hmac-Sha256": ""})).status == 401
    assert (await hooked(shop, body, right | {"X-Shopify-Shop-Domain": "x.myshopify.com"})).status == 401
    empty = b"{}"
    assert (await hooked(shop, empty, headers(empty, "b"))).status == 422
    nothing = b"{"
    assert (await hooked(shop, nothing, headers(nothing, "c"))).status == 400
    other = b"{}"
    assert (await hooked(shop, other, headers(other, "d", "products/update"))).status == 200


async def test_disconnecting_takes_the_webhooks_away(
    owner: Client, shop: dict[str, Any], vendors: Vendors
) -> None:
    assert (await owner.delete(f"/v1/accounts/{shop['id']}")).status == 204

    async def gone() -> bool:
        return not vendors.hooks["shopify"]

    await eventually(gone, what="no webhooks are left")


async def test_a_shop_of_woocommerce(
    service: Harness, org: UUID, connected: Connected, hooked: Hooked, vendors: Vendors
) -> None:
    keys = {"consumer_key": "ck_local", "consumer_secret": "cs_local"}
    shop = await connected("woocommerce", {"url": vendors.address}, keys)
    assert shop["state"] == "connected", shop
    secret = vendors.hooks["woo"][0]["secret"]
    assert (await hooked(shop, b"webhook_id=1", {})).status == 200
    order = {
        "id": 727,
        "number": "727",
        "status": "processing",
        "currency": "JPY",
        "total": "2900",
        "date_created_gmt": "2026-11-01T18:59:17",
        "date_modified_gmt": "2026-11-01T18:59:17",
        "customer_id": 0,
        "billing": {"first_name": "Aiko", "last_name": "", "email": "aiko@example.com", "phone": ""},
        "line_items": [{"name": "Tea", "sku": "T1", "quantity": 1, "price": 2900}],
    }
    body = json.dumps(order).encode()
    signed = {
        "X-WC-Webhook-Topic": "order.created",
        "X-WC-Webhook-Delivery-ID": "d1",
        "X-WC-Webhook-Signature": hmac_of(secret, body),
    }
    assert (await hooked(shop, body, signed)).status == 200
    assert (await hooked(shop, body, signed | {"X-WC-Webhook-Signature": "x"})).status == 401
    event = await service.spy.expect(CommerceOrderChanged, lambda event: event.org == org)
    assert (event.data.state, event.data.vendor_state) == ("paid", "processing")
    assert event.data.total == Money(amount_minor=2_900, currency="JPY")
    assert event.data.placed_at.isoformat() == "2026-11-01T18:59:17+00:00"


def test_money_is_exact() -> None:
    assert money("0.1", "KWD") == Money(amount_minor=100, currency="KWD")
    assert money("19.995", "eur") == Money(amount_minor=2_000, currency="EUR")
    for wrong in ("", "a", "NaN", "Infinity"):
        with pytest.raises(UnprocessableError):
            money(wrong, "EUR")
