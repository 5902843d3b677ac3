"""A gateway on a real port before scripted services, with keys and tokens of the test's own."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flotilla.events.auth import PublicKey
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.security.principal import Principal, PrincipalVerifier
from flotilla.testing import eventually
from flotilla_gateway.door import Door
from flotilla_gateway.edge.protocol import EdgeProtocol
from flotilla_gateway.edge.turn import Turn
from flotilla_gateway.express import Express
from flotilla_gateway.gateway import Gateway, opened
from flotilla_gateway.settings import GatewaySettings
from flotilla_gateway.trust.keys import KeySet
from flotilla_gateway.trust.standing import Standing
from joserfc import jwt
from joserfc.jwk import OKPKey
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from services.gateway.tests.raw import Caller, ask
from services.gateway.tests.scripted import ScriptedService, scripted

WARMED: Final = {"things": "/v1/things", "others": "/v1/others"}
SERVICES = ("things", "others", "auth", "integrations", "websocket")


def operation(service: str, permission: str = "things:read", limit: str = "session") -> dict[str, str]:
    """What the gateway reads of an operation."""
    return {"x-service": service, "x-permission": permission, "x-rate-limit": limit}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Test", "version": "1"},
    "paths": {
        "/v1/things": {"get": operation("things"), "post": operation("things")},
        "/v1/things/mine": {"get": operation("things")},
        "/v1/things/{thing_id}": {
            "get": operation("things"),
            "put": operation("things"),
            "delete": operation("things"),
            "patch": operation("things"),
        },
        "/v1/open": {
            "get": operation("things", "public", "open"),
            "post": operation("things", "public", "open"),
        },
        "/v1/metered": {
            "get": operation("things"),
            "post": {**operation("things"), "x-feature": "campaigns"},
        },
        "/v1/others": {"get": operation("others")},
        "/v1/search": {"get": operation("things", limit="dear")},
        "/v1/sessions": {"post": operation("auth", "public", "sign_in")},
        "/v1/sign-in": {"post": operation("auth", "public", "sign_in")},
        "/v1/tokens/refresh": {"post": operation("auth", "public", "sign_in")},
        "/v1/sign-out": {"post": operation("auth", "profile:write")},
        "/v1/step-up": {"post": operation("auth", "profile:write", "sign_in")},
        "/v1/hooks/{channel}/{account}": {"post": operation("integrations", "public", "hook")},
        "/v1/live/events": {"get": operation("websocket", "events:subscribe")},
        "/v1/absent": {"get": operation("absent")},
    },
}


@dataclass
class SigningKey:
    """A key as auth has it."""

    kid: str
    private: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519"))

    def public(self, not_after: datetime | None = None) -> PublicKey:
        """What auth tells of it."""
        x = self.private.as_dict(private=False)["x"]
        assert isinstance(x, str)
        return PublicKey(kid=self.kid, x=x, not_after=not_after or datetime.now(UTC) + timedelta(hours=1))

    def token(self, **claims: Any) -> str:
        """An access token, good unless the claims say otherwise."""
        now = int(time.time())
        given = {
            "iss": "flotilla",
            "sub": str(new_id()),
            "org": str(new_id()),
            "sid": str(new_id()),
            "role": "team_member",
            "iat": now,
            "exp": now + 900,
            **claims,
        }
        header = {"alg": "Ed25519", "kid": self.kid}
        return jwt.encode(header, given, self.private, algorithms=["Ed25519"])


@dataclass(repr=False)
class World:
    """A running gateway and what stands behind it."""

    gateway: Gateway
    port: int
    services: Mapping[str, ScriptedService]
    key: SigningKey
    principals: PrincipalVerifier
    server: uvicorn.Server
    log: list[bytes]
    """What the gateway has written into its log of requests."""

    @property
    def things(self) -> ScriptedService:
        """The service most tests use."""
        return self.services["things"]

    def token(self, **claims: Any) -> str:
        """A good token of a person who is nobody else."""
        return self.key.token(**claims)

    async def side_of(self, caller: Caller) -> EdgeProtocol:
        """The gateway's side of a caller's connection."""
        address = caller.writer.get_extra_info("sockname")[:2]

        async def found() -> list[EdgeProtocol]:
            return [each for each in self.gateway.connections if each.client == address]

        return (await eventually(found))[0]

    def principal(self, number: int = -1) -> Principal:
        """Who the service was told asks."""
        told = self.things.requests[number].header("flotilla-principal")
        assert told is not None
        return self.principals.verify(told)


@contextmanager
def counted() -> Iterator[list[bool]]:
    """Of each request that came to the fork meanwhile, whether it went the short way."""
    ways: list[bool] = []
    take = Express.take

    def told(self: Express, client: EdgeProtocol, turn: Turn) -> bool:
        ways.append(take(self, client, turn))
        return ways[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Express, "take", told)
        yield ways


@asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """Start one."""
    async with AsyncExitStack() as stack:
        services = {name: await stack.enter_async_context(scripted()) for name in SERVICES}
        key = SigningKey("k1")
        told = gateway_settings(folder, {name: each.port for name, each in services.items()}, **settings)
        standing = Standing(KeySet([key.public()]))
        gateway = await stack.enter_async_context(opened(told, standing))
        log: list[bytes] = []
        gateway.access_log._write = log.append
        server = await stack.enter_async_context(serving(gateway))
        port = server.servers[0].sockets[0].getsockname()[1]
        verifier = PrincipalVerifier(told.principal_public_keys)
        running = World(gateway, port, services, key, verifier, server, log)
        await warm(running)
        yield running


async def warm(running: World) -> None:
    """A connection to each of these services idles from now on, so that the first request of a test may go the short
    way too; nothing else is to be seen of it."""
    for name, path in WARMED.items():
        if running.gateway.settings.upstreams.count(f"{name}=http://127.0.0.1:{running.services[name].port}"):
            assert (await ask(running.port, "GET", path, token=running.token())).status == 200
            running.services[name].requests.clear()
    running.gateway.access_log.flush()
    running.log.clear()


def gateway_settings(folder: Path, ports: Mapping[str, int], **settings: Any) -> GatewaySettings:
    """Settings of a gateway of the test instance, on its Redis."""
    document = folder / "openapi.json"
    document.write_text(json.dumps(DOCUMENT))
    seed = Ed25519PrivateKey.generate()
    public = base64.b64encode(seed.public_key().public_bytes_raw()).decode()
    environment = Instance.load("test").environment("gateway")
    told: dict[str, Any] = {
        name.removeprefix("FLOTILLA_").lower(): value for name, value in environment.items()
    }
    told |= {
        "http_port": 0,
        "limit_open": "1000000/1",
        "limit_sign_in": "1000000/1",
        "screen": False,
        "openapi_file": document,
        "console_dir": folder,
        "upstreams": ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in ports.items()),
        "principal_public_keys": public,
        "principal_private_key": base64.b64encode(seed.private_bytes_raw()).decode(),
    }
    return GatewaySettings(**{**told, **settings})


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[uvicorn.Server]:
    """The gateway's door on a free port, as `flotilla.run` opens it."""
    options = {
        "host": "127.0.0.1",
        "port": 0,
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": 5,
        **gateway.server_options(),
    }
    server = uvicorn.Server(uvicorn.Config(Door(gateway, _pages()), **options))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            await task
    try:
        yield server
    finally:
        server.should_exit = server.force_exit = True
        await task


def _pages() -> Starlette:
    """Pages of the process itself; the real ones have tests of their own."""
    names = ("/healthz", "/readyz", "/metrics")
    return Starlette(routes=[Route(name, lambda _: PlainTextResponse("here")) for name in names])


def user(token_claims: Mapping[str, Any]) -> UUID:
    """Whose token it is."""
    return UUID(token_claims["sub"])
