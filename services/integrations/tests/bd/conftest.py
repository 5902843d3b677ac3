"""A seller with a bot that business development writes from, a buyer, and the test in the place of billing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.events.base import Event, Money
from flotilla.events.billing import (
    PaymentFailed,
    PaymentRefunded,
    PaymentRefundRequested,
    PaymentRequested,
    PaymentSucceeded,
)
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.simulators.telegram import TelegramSimulator

E = TypeVar("E", bound=Event)
EUROS = {"amount_minor": 4_900, "currency": "EUR"}


@dataclass
class Market:
    """Both sides of it."""

    integrations: Harness
    telegram: TelegramSimulator
    token: str
    account: dict[str, Any]
    seller: Client
    buyer: Client
    offer: dict[str, Any] = field(default_factory=dict)

    @property
    def account_id(self) -> UUID:
        return UUID(self.account["id"])

    @property
    def hook(self) -> str:
        """Where the bot's messages come in."""
        return self.telegram.bots[self.token].url

    async def offers(self, kind: str = "sale", **more: Any) -> dict[str, Any]:
        """The seller puts it on the market."""
        wanted = {"bd_account_id": self.account["id"], "kind": kind, "title": "Warm bot", "price": EUROS}
        answer = await self.seller.post("/v1/bd-offers", wanted | more)
        assert answer.status == 201, answer.body
        self.offer = answer.json()
        return self.offer

    async def buys(self) -> dict[str, Any]:
        """The buyer takes it."""
        answer = await self.buyer.post(f"/v1/bd-offers/{self.offer['id']}/purchase", {})
        assert answer.status == 202, answer.body
        bought: dict[str, Any] = answer.json()
        return bought

    async def hears(
        self, type_: type[E], org: UUID, where: Callable[[Received[E]], Any] = lambda _: True
    ) -> Received[E]:
        return await self.integrations.spy.expect(type_, lambda event: event.org == org and where(event))

    async def pays(self, reason: str | None = None) -> PaymentRequested:
        """As billing answers: with the money, or with a reason."""
        asked = await self.hears(PaymentRequested, self.buyer.org)
        told: dict[str, Any] = self._told(asked.data)
        fact = PaymentFailed(**told, reason=reason) if reason else PaymentSucceeded(**told)
        await self._answer(asked, asked.data.request_id, fact)
        return asked.data

    async def refunds(self) -> PaymentRefundRequested:
        """As billing answers an undo."""
        asked = await self.hears(PaymentRequested, self.buyer.org)
        undo = await self.hears(PaymentRefundRequested, self.buyer.org)
        told = self._told(asked.data) | {"request_id": undo.data.request_id}
        await self._answer(undo, undo.data.request_id, PaymentRefunded(**told))
        return undo.data

    async def _answer(self, event: Received[Any], request_id: UUID, fact: Event) -> None:
        cause = replace(event.cause, request_id=request_id)
        await self.integrations.publish(fact, org=self.buyer.org, cause=cause)

    def _told(self, wish: PaymentRequested) -> dict[str, Any]:
        return {
            "payment_id": wish.request_id,
            "invoice_id": None,
            "request_id": wish.request_id,
            "amount": Money(amount_minor=wish.amount_minor, currency=wish.currency),
            "method": "balance",
            "occurred_at": datetime.now(UTC),
        }

    async def becomes(self, client: Client, path: str, **wanted: Any) -> dict[str, Any]:
        """What is at a path, once it is so."""

        async def so() -> dict[str, Any]:
            found: dict[str, Any] = (await client.get(path)).json()
            assert wanted.items() <= found.items(), found
            return found

        return await eventually(so)


@pytest.fixture
async def market(
    integrations: Harness,
    org: UUID,
    telegram: TelegramSimulator,
    connect: Callable[..., Awaitable[dict[str, Any]]],
) -> Market:
    """A bot that can be offered."""
    token = telegram.add_bot()
    telegram.bots[token].chats.add(77)
    account = await connect("telegram", {"token": token})
    seller, buyer = integrations.client(org), integrations.client(new_id())
    answer = await seller.post("/v1/bd-accounts", {"account_id": account["id"], "daily_limit": 40})
    assert answer.status == 201, answer.body
    return Market(integrations, telegram, token, account, seller, buyer)
