"""One service running in the test's own process: real stores, real broker, real HTTP on a free port."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aio_pika
import aiohttp
import msgspec
import uvicorn

from flotilla.app import App
from flotilla.bus.envelope import encode
from flotilla.bus.topology import EXCHANGE
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.process import opened, working
from flotilla.run import config
from flotilla.security.principal import HEADER, Principal, PrincipalSigner
from flotilla.service import Service
from flotilla.testing.isolation import isolated
from flotilla.testing.spy import Spy


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


@dataclass(frozen=True)
class Client:
    """Calls the service as one person, with a principal as the gateway would sign it."""

    base_url: str
    session: aiohttp.ClientSession
    org: UUID
    user_id: UUID
    headers: Mapping[str, str]

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request."""
        content = msgspec.json.encode(json) if json is not None else body
        sent = {"Content-Type": "application/json", **self.headers, **(headers or {})}
        async with self.session.request(
            method, self.base_url + path, data=content, headers=sent, allow_redirects=False
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **options: Any) -> Answer:
        """GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> Answer:
        """POST."""
        return await self.request("POST", path, json=json, **options)

    async def put(self, path: str, json: Any = None, **options: Any) -> Answer:
        """PUT."""
        return await self.request("PUT", path, json=json, **options)

    async def patch(self, path: str, json: Any = None, **options: Any) -> Answer:
        """PATCH."""
        return await self.request("PATCH", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        """DELETE."""
        return await self.request("DELETE", path, **options)


@dataclass
class Harness:
    """A running service and what a test does to it."""

    app: App
    instance: Instance
    base_url: str
    session: aiohttp.ClientSession
    spy: Spy
    """Hears what the service publishes, and what the test does."""
    _exchange: aio_pika.abc.AbstractExchange
    _signer: PrincipalSigner
    _sequences: dict[str, int] = field(default_factory=dict)

    def client(
        self,
        org: UUID,
        role: str = "owner",
        user_id: UUID | None = None,
        session_id: UUID | None = None,
        grants: dict[str, str] | None = None,
        authenticated_seconds_ago: int = 0,
        factors: int = 1,
        colleagues: tuple[UUID, ...] = (),
        scopes: tuple[str, ...] | None = None,
    ) -> Client:
        """A person of an organization, signed in with a role; with `grants`, with one of its own; a program's key
        with `scopes`."""
        who = Principal(
            org=org,
            user_id=user_id or new_id(),
            session_id=session_id or new_id(),
            role=role,
            expires_at=int(time.time()) + 600,
            authenticated_at=0 if scopes is not None else int(time.time()) - authenticated_seconds_ago,
            factors=factors,
            grants=grants,
            colleagues=colleagues,
            scopes=scopes,
        )
        return Client(self.base_url, self.session, org, who.user_id, {HEADER: self._signer.sign(who)})

    def anonymous(self) -> Client:
        """Nobody: for hooks and sign-in."""
        nobody = UUID(int=0)
        return Client(self.base_url, self.session, nobody, nobody, {})

    async def publish(
        self,
        data: Event,
        *,
        org: UUID,
        sequence: int | None = None,
        cause: Cause | None = None,
        audience: str | None = None,
        event_id: UUID | None = None,
    ) -> UUID:
        """Publish an event as another service would; its id. The sequence counts up by itself."""
        subject = f"{type(data).__name__}"
        self._sequences[subject] = self._sequences.get(subject, 0) + 1
        outgoing = encode(
            data,
            org=org,
            sequence=sequence or self._sequences[subject],
            cause=cause or Cause.fresh("service:test"),
            region=self.app.settings.region,
            audience=audience,
            event_id=event_id,
        )
        message = aio_pika.Message(outgoing.body, message_id=str(outgoing.id), delivery_mode=2)
        await self._exchange.publish(message, outgoing.type)
        return outgoing.id


@asynccontextmanager
async def running(
    service: Service,
    worker: str = "main",
    *,
    instance: Instance | None = None,
    lanes_paused: bool = False,
    **settings: Any,
) -> AsyncIterator[Harness]:
    """Start a service on stores of its own, or as one more replica on those of `instance`.

    `lanes_paused`: without its loops, so that it handles nothing and publishes only what the test does.
    """
    async with AsyncExitStack() as stack:
        own = instance if instance else await stack.enter_async_context(isolated(service, worker))
        spy = await stack.enter_async_context(Spy.on(own.amqp_url))
        app = await stack.enter_async_context(opened(service, settings_for(service, own, settings)))
        if not lanes_paused:
            await stack.enter_async_context(working(app))
        base_url = await stack.enter_async_context(serving(app))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        )
        connection = await stack.enter_async_context(await aio_pika.connect(own.amqp_url, timeout=10))
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE)
        async with asyncio.timeout(60):
            for lane in app.lanes:
                await lane.consuming.wait()
        signer = PrincipalSigner(own.secrets.principal_private_key)
        yield Harness(app, own, base_url, session, spy, exchange, signer)


def settings_for(service: Service, instance: Instance, overrides: Mapping[str, Any]) -> Any:
    """What the service would be told by the environment, on any free port, with these changed."""
    environment = instance.environment(service.name)
    told = {name.removeprefix("FLOTILLA_").lower(): value for name, value in environment.items()}
    return service.settings(
        **{**told, "http_port": 0, "grace_seconds": 5, "erasure_settle_seconds": 0.2, **overrides}
    )


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[str]:
    """Its HTTP, in this process: the address."""
    server = uvicorn.Server(config(app))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            await task
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
