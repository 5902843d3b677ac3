"""Integrations, running, between a simulated Telegram and a program of an organization's own."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from flotilla.events.messaging import MessageSendRequested
from flotilla.ids import new_id
from flotilla.outside_http import OutsideHttp
from flotilla.testing import Client, Harness, eventually
from flotilla.testing.harness import Answer
from flotilla.testing.plugin import StartService
from flotilla.testing.ports import free_port
from flotilla.testing.simulators.telegram import TelegramSimulator
from flotilla_integrations.adapters.base import Surroundings
from flotilla_integrations.settings import IntegrationsSettings
from standardwebhooks import Webhook

SEND_SECONDS = 3.0
"""After which nobody knows of a send; a vendor that answers at once does so sooner on a full machine too."""
CUT = 0
"""The connection is cut after the request was taken."""
HANG = -1
"""The request is taken and never answered."""

HOOK = "http://127.0.0.1:1/v1/hooks/x"
SECRET = "our-secret-for-hooks"


@pytest.fixture(scope="session")
async def telegram() -> AsyncIterator[TelegramSimulator]:
    """Telegram, as far as bots know it."""
    async with TelegramSimulator.running() as simulator:
        yield simulator


@pytest.fixture(scope="session")
async def integrations(start_service: StartService, telegram: TelegramSimulator) -> AsyncIterator[Harness]:
    """One running replica, reached by vendors where it says it is."""
    port = free_port()
    async with start_service(
        "integrations",
        http_port=port,
        public_url=f"http://127.0.0.1:{port}",
        telegram_address=telegram.address,
        private_addresses_allowed=True,
        send_seconds=SEND_SECONDS,
    ) as running:
        yield running


@dataclass
class Program:
    """An organization's own program: takes signed messages, once for each id, and answers as it is told."""

    secret: str = field(default_factory=lambda: "whsec_" + base64.b64encode(os.urandom(24)).decode())
    address: str = ""
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(webhook-id, body) of every request that was signed rightly and not refused."""
    runner: web.AppRunner | None = None
    answers: list[int] = field(default_factory=list)
    """What the next requests are answered: a status, `CUT` or `HANG`."""

    async def close(self) -> None:
        """It is gone: nothing listens at its address."""
        assert self.runner is not None
        await self.runner.cleanup()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            said = Webhook(self.secret).verify(body.decode(), dict(request.headers))
        except Exception:
            return web.Response(status=401)
        status = self.answers.pop(0) if self.answers else 200
        if 400 <= status < 500:
            return web.Response(status=status, headers={"Retry-After": "1"})
        self.got.append((request.headers["webhook-id"], said))
        if status == HANG:
            await asyncio.Event().wait()
        if status == CUT:
            assert request.transport is not None
            request.transport.abort()
            status = 200
        return web.json_response({"id": f"own-{len(self.got)}"}, status=status)

    @property
    def messages(self) -> list[tuple[str, str]]:
        """(key, text) of the messages it got, repetitions too."""
        return [(key, said["data"]["text"]) for key, said in self.got if said["type"] == "message.send"]

    def signed(self, body: bytes, *, at: datetime | None = None, key: str = "evt_1") -> dict[str, str]:
        """Headers of a request to us, by the SDK that such programs use."""
        at = at or datetime.now(UTC)
        signature = Webhook(self.secret).sign(key, at, body.decode())
        return {
            "webhook-id": key,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    """A local receiver that verifies with the Standard Webhooks SDK."""
    program = Program()
    app = web.Application()
    app.router.add_post("/messages", program.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    program.address = f"http://127.0.0.1:{runner.addresses[0][1]}/messages"
    program.runner = runner
    yield program
    await program.close()


@pytest.fixture
def admin(integrations: Harness, org: UUID) -> Client:
    """Who connects accounts."""
    return integrations.client(org, "admin")


Connect = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def connect(admin: Client) -> Connect:
    """`await connect("telegram", {"token": …})`: the account, once its vendor was asked."""

    async def ask(
        connector: str, credentials: dict[str, str], settings: dict[str, str] | None = None
    ) -> dict[str, Any]:
        wanted = {
            "connector": connector,
            "name": "Shop",
            "credentials": credentials,
            "settings": settings or {},
        }
        made = await admin.post("/v1/accounts", wanted)
        assert made.status == 201, made.body
        assert made.json()["state"] == "connecting"

        async def asked() -> dict[str, Any]:
            account: dict[str, Any] = (await admin.get(f"/v1/accounts/{made.json()['id']}")).json()
            assert account["state"] != "connecting"
            return account

        return await eventually(asked)

    return ask


@dataclass(frozen=True)
class Conversation:
    """A conversation of messaging's, from which sends are asked for."""

    integrations: Harness
    org: UUID
    account_id: UUID
    channel: str
    chat: str = "77"
    id: UUID = field(default_factory=new_id)

    async def send(self, text: str, number: int | None = None, message_id: UUID | None = None) -> UUID:
        """Ask for a send: the message's id."""
        message_id = message_id or new_id()
        now = datetime.now(UTC)
        wanted = MessageSendRequested(
            message_id=message_id,
            conversation_id=self.id,
            position=number or 1,
            account_id=self.account_id,
            channel=self.channel,
            identity_id=new_id(),
            contact_id=None,
            author="user:1",
            draft_id=None,
            state="queued",
            reason=None,
            external_id=None,
            queued_at=now,
            occurred_at=now,
            responds_to_at=None,
            chat=self.chat,
            text=text,
            send_number=number,
        )
        await self.integrations.publish(wanted, org=self.org)
        return message_id


Talk = Callable[..., Conversation]


@pytest.fixture
def talk(integrations: Harness, org: UUID) -> Talk:
    """`talk(account)`: a conversation over that account."""

    def start(account: dict[str, Any], chat: str = "77") -> Conversation:
        return Conversation(integrations, org, UUID(account["id"]), account["connector"], chat)

    return start


@pytest.fixture
def talk_through() -> Talk:
    """`talk_through(replica, org, account)`: the same, asked through a replica of its own."""

    def start(replica: Harness, org: UUID, account: dict[str, Any]) -> Conversation:
        return Conversation(replica, org, UUID(account["id"]), account["connector"])

    return start


Hook = Callable[..., Coroutine[Any, Any, Answer]]


@pytest.fixture
def hook(integrations: Harness) -> Hook:
    """`await hook(account, body, headers)`: what comes to the account's hook."""

    async def post(account: dict[str, Any], body: bytes, headers: dict[str, str] | None = None) -> Answer:
        path = f"/v1/hooks/{account['connector']}/{account['id']}"
        return await integrations.anonymous().post(path, body=body, headers=headers)

    return post


@pytest.fixture
async def around(telegram: TelegramSimulator) -> AsyncIterator[Surroundings]:
    """What an adapter is given, with a short patience."""
    settings = IntegrationsSettings.model_construct(
        environment="test",
        telegram_address=telegram.address,
        private_addresses_allowed=True,
        send_seconds=SEND_SECONDS,
    )
    async with OutsideHttp.opened() as http:
        yield Surroundings(new_id(), HOOK, SECRET, settings, vendor_http=http, customer_http=http)
