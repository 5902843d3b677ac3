"""WooCommerce: orders of a shop, by the webhooks of its REST API (woocommerce.github.io/woocommerce-rest-api-docs)."""

import base64
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final

import msgspec
from flotilla.events.connectors import BuyerProfile
from flotilla.problems import UnauthorizedError, UnprocessableError
from pydantic import Field, SecretStr

from flotilla_integrations.adapters import shop
from flotilla_integrations.adapters.addresses import WebAddress, check_address
from flotilla_integrations.adapters.base import (
    Adapter,
    Capabilities,
    Config,
    Connection,
    Health,
    HookRequest,
    Intake,
    Part,
)
from flotilla_integrations.adapters.shop import Order, OrderState
from flotilla_integrations.adapters.vendor import ask, decoded, same, signature

NAME: Final = "The shop"
TOPICS: Final = ("order.created", "order.updated", "order.deleted")
STATES: Final = {
    "pending": OrderState.PENDING,
    "on-hold": OrderState.PENDING,
    "checkout-draft": OrderState.PENDING,
    "failed": OrderState.CANCELLED,
    "cancelled": OrderState.CANCELLED,
    "trash": OrderState.DELETED,
    "refunded": OrderState.REFUNDED,
    "processing": OrderState.PAID,
    "completed": OrderState.FULFILLED,
}


class Billing(msgspec.Struct, frozen=True):
    """Who pays."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""


class LineItem(msgspec.Struct, frozen=True):
    """One kind of thing; newer shops give its price as a number."""

    name: str = ""
    sku: str | None = None
    quantity: int = 0
    price: float | str = 0


class OrderIn(msgspec.Struct, frozen=True):
    """What Flotilla reads of an order; moments are UTC, without saying so."""

    id: int
    status: str
    currency: str
    total: str
    date_created_gmt: datetime
    date_modified_gmt: datetime
    number: str = ""
    customer_id: int = 0
    billing: Billing = Billing()
    line_items: list[LineItem] = []


class WooSettings(Part):
    """Which shop."""

    url: Annotated[WebAddress, Field(description="The shop's address: https://shop.example.org")]


class WooCredentials(Part):
    """A key of the REST API that may read and write: it sets the webhooks up."""

    consumer_key: Annotated[SecretStr, Field(min_length=8)]
    consumer_secret: Annotated[SecretStr, Field(min_length=8)]


class WooConfig(Config):
    """A shop."""

    settings: WooSettings
    credentials: WooCredentials


class WooCommerce(Adapter[WooConfig]):
    """One shop."""

    connector: ClassVar[str] = "woocommerce"
    title: ClassVar[str] = "WooCommerce shop"
    kind: ClassVar[str] = shop.SHOP
    config_type: ClassVar[type[Config]] = WooConfig
    capabilities: ClassVar[Capabilities] = Capabilities(syncs=True)
    actions: ClassVar[dict[str, Any]] = {}
    proven_with: ClassVar[str] = "a local exchange in the form that WooCommerce documents"

    async def connect(self, config: WooConfig) -> Connection:
        """Webhooks with our secret; those that are there already get it too, and are switched on."""
        self.use(config)
        there = {hook["topic"]: hook["id"] for hook in await self._hooks()}
        for topic in TOPICS:
            hook = {
                "name": f"Flotilla {topic}",
                "topic": topic,
                "delivery_url": self.around.hook_url,
                "secret": self.around.hook_secret,
                "status": "active",
            }
            if topic in there:
                await self._ask("PUT", f"webhooks/{there[topic]}", hook)
            else:
                await self._ask("POST", "webhooks", hook)
        return Connection(external_id=config.settings.url, name=None)

    async def disconnect(self) -> None:
        """Take our webhooks away."""
        for hook in await self._hooks():
            await self._ask("DELETE", f"webhooks/{hook['id']}?force=true")

    async def execute(self, action: str, data: Any) -> Any:
        """There is nothing to be done in a shop yet."""
        raise ValueError(f"WooCommerce has no action {action}")

    async def webhook(self, event: HookRequest) -> Intake:
        """An order that was made, changed or deleted; the ping of a new webhook is no order."""
        if "x-wc-webhook-topic" not in event.headers and event.body.startswith(b"webhook_id="):
            return Intake(unsupported="ping")
        if not same(
            event.headers.get("x-wc-webhook-signature"), signature(self.around.hook_secret, event.body)
        ):
            raise UnauthorizedError("The signature is not made with this account's secret.")
        topic = event.headers.get("x-wc-webhook-topic", "")
        if not topic.startswith("order."):
            return Intake(unsupported="topic")
        body = decoded(event.body)
        if topic == "order.deleted":
            return Intake(deleted_orders=(str(body.get("id")),))
        try:
            order = msgspec.convert(body, OrderIn)
        except msgspec.ValidationError as error:
            raise UnprocessableError(f"This is no order of WooCommerce's: {error}") from None
        return Intake(orders=(_order(order, event.headers.get("x-wc-webhook-delivery-id", "")),))

    async def health(self) -> Health:
        """Whether the key is good and the webhooks are active: the shop switches off those that fail."""
        active = {hook["topic"] for hook in await self._hooks() if hook.get("status") == "active"}
        missing = [topic for topic in TOPICS if topic not in active]
        return Health(
            not missing, f"Webhooks are missing: {', '.join(missing)}." if missing else "Orders come in."
        )

    async def _hooks(self) -> list[dict[str, Any]]:
        found = await self._ask("GET", "webhooks?per_page=100")
        return [hook for hook in found if hook.get("delivery_url") == self.around.hook_url]

    async def _ask(self, method: str, path: str, json: Any = None) -> Any:
        address, given = self.config.settings.url, self.config.credentials
        check_address(address, self.around.settings)
        both = f"{given.consumer_key.get_secret_value()}:{given.consumer_secret.get_secret_value()}"
        token = base64.b64encode(both.encode()).decode()
        url = f"{address}/wp-json/wc/v3/{path}"
        headers = {"Authorization": f"Basic {token}"}
        return await ask(self.around.customer_http, NAME, method, url, headers=headers, json=json)


def _order(order: OrderIn, delivery_id: str) -> Order:
    who = order.billing
    return Order(
        external_id=str(order.id),
        number=f"#{order.number or order.id}",
        state=STATES.get(order.status, OrderState.PENDING),
        vendor_state=order.status,
        total=shop.money(order.total, order.currency),
        lines=shop.lines(
            [(line.name, line.sku, line.quantity, str(line.price)) for line in order.line_items],
            order.currency,
        ),
        buyer_id=str(order.customer_id or who.email or who.phone or order.id),
        buyer=BuyerProfile(
            name=f"{who.first_name} {who.last_name}".strip() or None,
            email=who.email or None,
            phone=who.phone or None,
        ),
        placed_at=_utc(order.date_created_gmt),
        updated_at=_utc(order.date_modified_gmt),
        delivery_id=delivery_id,
    )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


ADAPTER = WooCommerce
