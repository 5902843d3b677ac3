"""Shopify: orders of a shop, by the webhooks of its Admin API (shopify.dev/docs/apps/build/webhooks)."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

import msgspec
from flotilla.events.connectors import BuyerProfile
from flotilla.problems import UnauthorizedError, UnprocessableError
from pydantic import Field, SecretStr

from flotilla_integrations.adapters import shop
from flotilla_integrations.adapters.base import (
    Adapter,
    Capabilities,
    Config,
    Connection,
    Health,
    HookRequest,
    Intake,
    Part,
    RefusedError,
)
from flotilla_integrations.adapters.shop import Order, OrderState
from flotilla_integrations.adapters.vendor import ask, decoded, same, signature

VERSION: Final = "2025-07"
TOPICS: Final = ("orders/create", "orders/updated", "orders/delete")
NAME: Final = "Shopify"


class Customer(msgspec.Struct, frozen=True):
    """Who ordered."""

    id: int | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None


class LineItem(msgspec.Struct, frozen=True):
    """One kind of thing."""

    title: str = ""
    sku: str | None = None
    quantity: int = 0
    price: str = "0"


class OrderIn(msgspec.Struct, frozen=True):
    """What Flotilla reads of the Order resource."""

    id: int
    created_at: datetime
    updated_at: datetime
    currency: str
    total_price: str
    name: str = ""
    financial_status: str | None = None
    fulfillment_status: str | None = None
    cancelled_at: datetime | None = None
    email: str | None = None
    phone: str | None = None
    customer: Customer | None = None
    line_items: list[LineItem] = []


class ShopifySettings(Part):
    """Which shop."""

    shop: Annotated[
        str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}\.myshopify\.com$", examples=["a.myshopify.com"])
    ]


class ShopifyCredentials(Part):
    """Of a custom app of the shop's, with `read_orders`."""

    access_token: Annotated[SecretStr, Field(min_length=8, description="The app's Admin API access token.")]
    api_secret: Annotated[
        SecretStr, Field(min_length=8, description="The app's API secret: webhooks are signed with it.")
    ]


class ShopifyConfig(Config):
    """A shop."""

    settings: ShopifySettings
    credentials: ShopifyCredentials


class Shopify(Adapter[ShopifyConfig]):
    """One shop."""

    connector: ClassVar[str] = "shopify"
    title: ClassVar[str] = "Shopify shop"
    kind: ClassVar[str] = shop.SHOP
    config_type: ClassVar[type[Config]] = ShopifyConfig
    capabilities: ClassVar[Capabilities] = Capabilities(syncs=True)
    actions: ClassVar[dict[str, Any]] = {}
    proven_with: ClassVar[str] = "a local exchange in the form that Shopify documents"

    async def connect(self, config: ShopifyConfig) -> Connection:
        """shop.json proves the token; webhooks that are there already are left alone."""
        self.use(config)
        found = await self._ask("GET", "shop.json")
        there = {hook["topic"] for hook in await self._hooks()}
        for topic in TOPICS:
            if topic not in there:
                hook = {"topic": topic, "address": self.around.hook_url, "format": "json"}
                await self._ask("POST", "webhooks.json", {"webhook": hook})
        return Connection(external_id=str(found["shop"]["id"]), name=found["shop"].get("name"))

    async def disconnect(self) -> None:
        """Take our webhooks away."""
        for hook in await self._hooks():
            await self._ask("DELETE", f"webhooks/{hook['id']}.json")

    async def execute(self, action: str, data: Any) -> Any:
        """There is nothing to be done in a shop yet."""
        raise ValueError(f"Shopify has no action {action}")

    async def webhook(self, event: HookRequest) -> Intake:
        """An order that was made, changed or deleted."""
        credentials = self.config.credentials
        wanted = signature(credentials.api_secret.get_secret_value(), event.body)
        if not same(event.headers.get("x-shopify-hmac-sha256"), wanted):
            raise UnauthorizedError("The signature is not this app's.")
        if event.headers.get("x-shopify-shop-domain") != self.config.settings.shop:
            raise UnauthorizedError("This is another shop's.")
        topic = event.headers.get("x-shopify-topic", "")
        if not topic.startswith("orders/"):
            return Intake(unsupported="topic")
        body = decoded(event.body)
        if topic == "orders/delete":
            return Intake(deleted_orders=(str(body.get("id")),))
        try:
            order = msgspec.convert(body, OrderIn)
        except msgspec.ValidationError as error:
            raise UnprocessableError(f"This is no order of Shopify's: {error}") from None
        return Intake(orders=(_order(order, event.headers.get("x-shopify-webhook-id", "")),))

    async def health(self) -> Health:
        """Whether the token is good and the webhooks are there."""
        await self._ask("GET", "shop.json")
        there = {hook["topic"] for hook in await self._hooks()}
        missing = [topic for topic in TOPICS if topic not in there]
        return Health(
            not missing, f"Webhooks are missing: {', '.join(missing)}." if missing else "Orders come in."
        )

    async def _hooks(self) -> list[dict[str, Any]]:
        found = await self._ask("GET", "webhooks.json?limit=250")
        return [hook for hook in found["webhooks"] if hook.get("address") == self.around.hook_url]

    async def _ask(self, method: str, path: str, json: Any = None) -> Any:
        address = self.around.settings.shopify_address.format(shop=self.config.settings.shop)
        token = self.config.credentials.access_token.get_secret_value()
        url = f"{address}/admin/api/{VERSION}/{path}"
        try:
            return await ask(
                self.around.vendor_http,
                NAME,
                method,
                url,
                headers={"X-Shopify-Access-Token": token},
                json=json,
            )
        except (KeyError, TypeError):
            raise RefusedError("Shopify answered in a way that cannot be read.") from None


def _state(order: OrderIn) -> OrderState:
    if order.cancelled_at is not None or order.financial_status == "voided":
        return OrderState.CANCELLED
    if order.financial_status == "refunded":
        return OrderState.REFUNDED
    if order.fulfillment_status == "fulfilled":
        return OrderState.FULFILLED
    if order.fulfillment_status == "partial":
        return OrderState.PARTLY_FULFILLED
    paid = order.financial_status in ("paid", "partially_refunded")
    return OrderState.PAID if paid else OrderState.PENDING


def _order(order: OrderIn, delivery_id: str) -> Order:
    who = order.customer or Customer()
    email, phone = order.email or who.email, order.phone or who.phone
    return Order(
        external_id=str(order.id),
        number=order.name or f"#{order.id}",
        state=_state(order),
        vendor_state=f"{order.financial_status or 'unpaid'}/{order.fulfillment_status or 'unfulfilled'}",
        total=shop.money(order.total_price, order.currency),
        lines=shop.lines(
            [(line.title, line.sku, line.quantity, line.price) for line in order.line_items], order.currency
        ),
        buyer_id=str(who.id or email or phone or order.id),
        buyer=BuyerProfile(
            name=f"{who.first_name or ''} {who.last_name or ''}".strip() or None, email=email, phone=phone
        ),
        placed_at=order.created_at,
        updated_at=order.updated_at,
        delivery_id=delivery_id,
    )


ADAPTER = Shopify
