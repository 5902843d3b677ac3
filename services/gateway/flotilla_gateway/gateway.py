"""What a gateway process holds: routes, pools, trust, limits. Made once, used by every request and tunnel."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from flotilla.cells import Cells
from flotilla.security.principal import PrincipalSigner
from flotilla.security.sealing import Keyring
from flotilla.security.tls import Tls
from flotilla.store.postgres import Database

from flotilla_gateway import store
from flotilla_gateway.abuse.screen import Screen
from flotilla_gateway.abuse.watch import Patience, Watch
from flotilla_gateway.abuse.work import Work
from flotilla_gateway.access_log import AccessLog
from flotilla_gateway.browser.proofs import Proofs
from flotilla_gateway.browser.sessions import Browsers
from flotilla_gateway.edge.admission import DEAR, OF_CALLERS, Admission
from flotilla_gateway.edge.clients import Callers
from flotilla_gateway.edge.cors import Cors
from flotilla_gateway.edge.limits import EdgeLimits
from flotilla_gateway.edge.protocol import EdgeProtocol
from flotilla_gateway.edge.refusals import Refusals
from flotilla_gateway.edge.shared import Shared
from flotilla_gateway.edge.tunnel import Tunnels
from flotilla_gateway.express import Express
from flotilla_gateway.forward.upstream import Upstream, UpstreamLimits
from flotilla_gateway.limits.hooks import HOOK, REJECTED, Hooks
from flotilla_gateway.limits.limiter import LimitClass, Limiter
from flotilla_gateway.limits.pipe import RedisPipe
from flotilla_gateway.pages.console import Console
from flotilla_gateway.pages.document import Document
from flotilla_gateway.policy import Policy
from flotilla_gateway.routing import RoutingTable
from flotilla_gateway.settings import GatewaySettings
from flotilla_gateway.trust.api_keys import ApiKeys
from flotilla_gateway.trust.entitlements import API, Entitlements
from flotilla_gateway.trust.keys import KeySet
from flotilla_gateway.trust.sessions import Sessions
from flotilla_gateway.trust.standing import (
    API_KEYS,
    ENTITLEMENTS,
    ORIGINS,
    ROLES,
    TEAMS,
    Standing,
    StandingFeed,
)
from flotilla_gateway.trust.tokens import Tokens

if TYPE_CHECKING:
    from flotilla.app import App

SWEEPS_PER_LIMIT: Final = 4
LONGEST_SWEEP_SECONDS: Final = 1.0


@dataclass
class Gateway:
    """The parts, each of which knows nothing of the others."""

    settings: GatewaySettings
    document: Document
    console: Console | None
    """None where none was built."""
    table: RoutingTable
    upstreams: dict[str, Upstream]
    standing: Standing
    tokens: Tokens
    api_keys: ApiKeys
    entitlements: Entitlements
    limiter: Limiter
    hooks: Hooks
    admission: Admission
    callers: Callers
    cors: Cors
    browsers: Browsers
    screen: Screen
    watch: Watch
    refusals: Refusals
    access_log: AccessLog
    tunnels: Tunnels
    edge_limits: EdgeLimits
    connections: "set[EdgeProtocol]"
    """Callers' connections, for the sweep."""

    def server_options(self) -> dict[str, Any]:
        """Options of uvicorn: our protocol at the edge, and nobody believed about addresses but by our settings."""
        express = Express(self, Policy(self)) if self.settings.express else None
        shared = Shared(self.edge_limits, self.tunnels, self.connections, self.refusals, express)
        return {"http": partial(EdgeProtocol, shared=shared), "ws": "none", "proxy_headers": False}

    async def sweep(self) -> None:
        """End what takes too long, again and again."""
        settings = self.settings
        shortest = min(
            settings.head_seconds,
            settings.body_seconds,
            settings.stall_seconds,
            settings.upstream_answer_seconds,
            settings.upstream_silence_seconds,
            settings.upstream_idle_seconds,
        )
        every = min(LONGEST_SWEEP_SECONDS, shortest / SWEEPS_PER_LIMIT)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(every)
            for upstream in self.upstreams.values():
                upstream.sweep()
            now = loop.time()
            for connection in list(self.connections):
                connection.check_time(now)
            self.tunnels.sweep(now)


@asynccontextmanager
async def opened(
    settings: GatewaySettings, standing: Standing, tls: Tls | None = None
) -> AsyncIterator[Gateway]:
    """A gateway whose knowledge of sessions and keys is fed by somebody else."""
    pipe = RedisPipe(settings.redis_url.get_secret_value(), settings.limiter_seconds)
    gateway = _made(settings, standing, pipe, _upstreams(settings, tls.client if tls else None))
    await pipe.open()
    sweeping = asyncio.create_task(gateway.sweep(), name="sweep")
    try:
        yield gateway
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        await gateway.watch.close()
        gateway.tunnels.close()
        for upstream in gateway.upstreams.values():
            upstream.close()
        await pipe.close()
        gateway.access_log.flush()


def _made(
    settings: GatewaySettings, standing: Standing, pipe: RedisPipe, upstreams: dict[str, Upstream]
) -> Gateway:
    document = Document.load(settings.openapi_file)
    limiter = Limiter(pipe, _limit_classes(settings))
    assert settings.principal_private_key is not None, "the gateway needs FLOTILLA_PRINCIPAL_PRIVATE_KEY"
    signer = PrincipalSigner(settings.principal_private_key.get_secret_value())
    tokens = Tokens(standing, signer, cells=Cells.of(settings))
    api_keys = ApiKeys(standing, signer)
    entitlements = Entitlements(LimitClass.parse(API, settings.limit_api))
    admission = Admission(Sessions(tokens, api_keys), limiter, entitlements)
    keyring = Keyring(settings.master_keys.get_secret_value(), settings.derivation_keys.get_secret_value())
    callers = Callers(settings.trusted_proxies, settings.exempt_networks, settings.operator_networks, keyring)
    access_log = AccessLog()
    cors = Cors(settings.cors_origins)
    browsers = Browsers(Proofs(keyring.derive_all("gateway.browsers"), cors))
    watch = Watch(pipe, _patience(settings))
    work = Work(keyring.derive_all("gateway.work"), settings.screen_work)
    return Gateway(
        settings=settings,
        document=document,
        console=Console.load(settings.console_dir),
        table=RoutingTable.of(document.content),
        upstreams=upstreams,
        standing=standing,
        tokens=tokens,
        api_keys=api_keys,
        entitlements=entitlements,
        limiter=limiter,
        hooks=Hooks(limiter),
        admission=admission,
        callers=callers,
        cors=cors,
        browsers=browsers,
        screen=Screen(pipe, work, settings.screen_route_requests, enabled=settings.screen),
        watch=watch,
        refusals=Refusals(callers, access_log, watch, settings.public_url.startswith("https://")),
        access_log=access_log,
        tunnels=Tunnels(
            upstreams.get("websocket"), admission, callers, browsers, watch, access_log, settings
        ),
        edge_limits=_edge_limits(settings),
        connections=set(),
    )


def _patience(settings: GatewaySettings) -> Patience:
    return Patience(
        points=settings.block_points,
        first_seconds=settings.block_seconds,
        longest_seconds=settings.block_longest_seconds,
    )


def _edge_limits(settings: GatewaySettings) -> EdgeLimits:
    return EdgeLimits(
        head_bytes=settings.head_bytes,
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        stall_seconds=settings.stall_seconds,
        connections_of_one=settings.caller_connections,
    )


@asynccontextmanager
async def resources(app: "App") -> AsyncIterator[Gateway]:
    """The gateway of a service process: what it knows comes from its tables."""
    settings = app.settings
    assert isinstance(settings, GatewaySettings)
    standing = Standing(KeySet())
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(opened(settings, standing, app.tls))
        feed = StandingFeed(
            standing,
            app.db,
            {
                API_KEYS: partial(_read_keys, gateway.api_keys),
                ORIGINS: partial(_read_origins, gateway.cors),
                ROLES: standing.read_roles,
                TEAMS: standing.read_teams,
                ENTITLEMENTS: partial(_read_entitlements, gateway.entitlements),
            },
        )
        await feed.open()
        stack.push_async_callback(feed.close)
        yield gateway


async def _read_keys(api_keys: ApiKeys, db: Database, ids: Sequence[UUID] | None) -> None:
    if ids is None:
        api_keys.replace(await store.read_api_keys(db))
    else:
        api_keys.learn(await store.read_api_keys(db, ids))


async def _read_origins(cors: Cors, db: Database, orgs: Sequence[UUID] | None) -> None:
    if orgs is None:
        cors.replace(await store.read_origins(db))
    else:
        cors.learn(orgs, await store.read_origins(db, orgs))


async def _read_entitlements(entitlements: Entitlements, db: Database, orgs: Sequence[UUID] | None) -> None:
    if orgs is None:
        entitlements.replace(await store.read_entitlements(db))
    else:
        entitlements.learn(orgs, await store.read_entitlements(db, orgs))


def _upstreams(settings: GatewaySettings, tls: ssl.SSLContext | None) -> dict[str, Upstream]:
    limits = UpstreamLimits(
        connections=settings.upstream_connections,
        connect=settings.upstream_connect_seconds,
        answer=settings.upstream_answer_seconds,
        silence=settings.upstream_silence_seconds,
        idle=settings.upstream_idle_seconds,
    )
    named = (pair.partition("=") for pair in settings.upstreams.split(",") if pair)
    return {name: Upstream(name, urls, limits, tls) for name, _, urls in named}


def _limit_classes(settings: GatewaySettings) -> dict[str, LimitClass]:
    classes = (
        LimitClass.parse(OF_CALLERS, settings.limit_session),
        LimitClass.parse(DEAR, settings.limit_dear),
        LimitClass.parse("sign_in", settings.limit_sign_in, closed_when_undecided=True),
        LimitClass.parse(HOOK, settings.limit_hook),
        LimitClass.parse(REJECTED, settings.limit_hook_rejected),
        LimitClass.parse("open", settings.limit_open),
    )
    return {limit.name: limit for limit in classes}
