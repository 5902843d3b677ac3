"""Integrations between the fleet's events and partners' programs: real endpoints, real queues."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from flotilla.events.crm import CompanyCreated
from flotilla.events.messaging import MessageReceived
from flotilla.ids import new_id
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.plugin import StartService
from standardwebhooks import Webhook

RETRIES = (0.05, 0.05)
SETTINGS: dict[str, Any] = {
    "private_addresses_allowed": True,
    "partner_retry_seconds": RETRIES,
    "partner_rest_seconds": 0.02,
    "partner_webhook_seconds": 3.0,
}
HANG = -1
"""The request is taken and never answered."""


@pytest.fixture(scope="session")
async def partners(start_service: StartService) -> AsyncIterator[Harness]:
    """One running replica, which tries again within moments."""
    async with start_service("integrations", **SETTINGS) as running:
        yield running


@dataclass
class Endpoint:
    """A partner's program that takes webhooks: verified by the library that such programs use."""

    address: str = ""
    secret: str = ""
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(webhook-id, event) of every request that was signed rightly."""
    headers: list[dict[str, str]] = field(default_factory=list)
    refused: int = 0
    answers: list[int] = field(default_factory=list)
    """What the next requests are answered; then `usual`."""
    usual: int = 204

    async def take(self, request: web.Request) -> web.Response:
        """Keep what was signed rightly."""
        body = await request.read()
        try:
            event = Webhook(self.secret).verify(body.decode(), dict(request.headers))
        except Exception:
            self.refused += 1
            return web.Response(status=401)
        self.got.append((request.headers["webhook-id"], event))
        self.headers.append(dict(request.headers))
        status = self.answers.pop(0) if self.answers else self.usual
        if status == HANG:
            await asyncio.Event().wait()
        return web.Response(status=status, text="" if status == 204 else f"answer {status}\x00")

    @property
    def ids(self) -> list[str]:
        """The ids that came, repetitions too."""
        return [id_ for id_, _ in self.got]

    async def expect(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """What came, once it is so many."""

        async def come() -> list[tuple[str, dict[str, Any]]]:
            assert len(self.got) >= count, self.got
            return self.got

        return await eventually(come)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """A local HTTP server."""
    async for each in _endpoint():
        yield each


@pytest.fixture
async def other_endpoint() -> AsyncIterator[Endpoint]:
    """Another."""
    async for each in _endpoint():
        yield each


async def _endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/in", endpoint.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint.address = f"http://127.0.0.1:{runner.addresses[0][1]}/in"
    yield endpoint
    await runner.cleanup()


@pytest.fixture
def admin(partners: Harness, org: UUID) -> Client:
    """Who administers partners."""
    return partners.client(org, "admin")


@dataclass(frozen=True)
class Subscribed:
    """A subscription and who administers it."""

    admin: Client
    made: dict[str, Any]

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/v1/partner-subscriptions/{self.made['id']}"

    async def read(self) -> dict[str, Any]:
        """As it is now."""
        answer = await self.admin.get(self.path)
        assert answer.status == 200, answer.body
        shown: dict[str, Any] = answer.json()
        return shown

    async def do(self, what: str, body: Any = None) -> dict[str, Any]:
        """POST to something of it that succeeds."""
        answer = await self.admin.post(f"{self.path}/{what}", body)
        assert answer.status in (200, 202), answer.body
        done: dict[str, Any] = answer.json()
        return done

    async def becomes(self, state: str) -> dict[str, Any]:
        """As it is once it has this state."""

        async def there() -> dict[str, Any]:
            shown = await self.read()
            assert shown["state"] == state, shown
            return shown

        return await eventually(there)

    async def log(self, query: str = "") -> list[dict[str, Any]]:
        """Its deliveries, newest first."""
        answer = await self.admin.get(f"{self.path}/deliveries{query}")
        assert answer.status == 200, answer.body
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def logged(self, state: str, count: int = 1) -> list[dict[str, Any]]:
        """So many deliveries of a state, once there are."""

        async def there() -> list[dict[str, Any]]:
            found = await self.log(f"?state={state}")
            assert len(found) == count, (found, await self.log())
            return found

        return await eventually(there)


Subscribe = Callable[..., Awaitable[Subscribed]]


@pytest.fixture
def subscribe(admin: Client) -> Subscribe:
    """`await subscribe(endpoint, ["company.created.v1"])`; without an endpoint a queue."""

    async def ask(
        endpoint: Endpoint | None, types: list[str], by: Client | None = None, **more: Any
    ) -> Subscribed:
        wanted = {"kind": "amqp", "name": "ERP", "types": types, **more}
        if endpoint is not None:
            wanted |= {"kind": "webhook", "url": endpoint.address}
        client = by or admin
        answer = await client.post("/v1/partner-subscriptions", wanted)
        assert answer.status == 201, answer.body
        made = answer.json()
        if endpoint is not None:
            endpoint.secret = made["secret"]
        else:
            await Subscribed(client, made).becomes("active")
        return Subscribed(client, made)

    return ask


def company(name: str = "Kite & Sons") -> CompanyCreated:
    """Something that happens, and says nothing of a person."""
    return msgspec.convert(
        {"company_id": str(new_id()), "name": name, "domain": None, "owner_id": None, "tags": []},
        CompanyCreated,
    )


def message(text: str = "My phone is 0660 1234567") -> MessageReceived:
    """Something a customer wrote."""
    return msgspec.convert(
        {
            "message_id": str(new_id()),
            "conversation_id": str(new_id()),
            "position": 1,
            "account_id": str(new_id()),
            "channel": "telegram",
            "identity_id": str(new_id()),
            "contact_id": None,
            "assignee_id": None,
            "ai_enabled": True,
            "first": True,
            "sender": {"address": "77", "name": "Olena"},
            "text": text,
            "sent_at": datetime.now(UTC).isoformat(),
        },
        MessageReceived,
    )
