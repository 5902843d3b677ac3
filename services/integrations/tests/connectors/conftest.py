"""A service between local vendors and whoever listens."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.harness import Answer
from flotilla.testing.plugin import StartService
from flotilla.testing.ports import free_port

from services.integrations.tests.connectors.vendors import Vendors


@pytest.fixture(scope="session")
async def everybody() -> AsyncIterator[Vendors]:
    """The vendors."""
    async with Vendors.running() as running:
        yield running


@pytest.fixture
def vendors(everybody: Vendors) -> Vendors:
    """As they are before a test."""
    fresh = Vendors()
    for name, value in vars(fresh).items():
        if name != "address":
            setattr(everybody, name, value)
    return everybody


@pytest.fixture(scope="session")
async def service(start_service: StartService, everybody: Vendors) -> AsyncIterator[Harness]:
    """One replica that knows where they are."""
    port = free_port()
    async with start_service(
        "integrations",
        http_port=port,
        public_url=f"http://127.0.0.1:{port}",
        private_addresses_allowed=True,
        shopify_address=everybody.address,
        vapi_address=everybody.address,
        hubspot_address=everybody.address,
    ) as running:
        yield running


@pytest.fixture
def owner(service: Harness, org: UUID) -> Client:
    """Who connects accounts."""
    return service.client(org)


Connected = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def connected(owner: Client, vendors: Vendors) -> Connected:
    """`await connected("vapi", settings, credentials)`: the account, once its vendor was asked."""

    async def ask(connector: str, settings: dict[str, Any], credentials: dict[str, str]) -> dict[str, Any]:
        wanted = {
            "connector": connector,
            "name": "Ours",
            "settings": settings,
            "credentials": credentials,
        }
        made = await owner.post("/v1/accounts", wanted)
        assert made.status == 201, made.body

        async def asked() -> dict[str, Any]:
            account: dict[str, Any] = (await owner.get(f"/v1/accounts/{made.json()['id']}")).json()
            assert account["state"] != "connecting"
            return account

        return await eventually(asked)

    return ask


def hmac_of(secret: str, *parts: bytes) -> str:
    """As the vendors' documentation computes it."""
    return base64.b64encode(hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).digest()).decode()


Hooked = Callable[..., Awaitable[Answer]]


@pytest.fixture
def hooked(service: Harness) -> Hooked:
    """`await hooked(account, body, headers)`: what a vendor sends."""

    async def post(account: dict[str, Any], body: Any, headers: dict[str, str]) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/v1/hooks/{account['connector']}/{account['id']}"
        return await service.anonymous().post(path, body=content, headers=headers)

    return post
