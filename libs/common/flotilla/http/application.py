"""The FastAPI application of a service: its routes, and what every service answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from flotilla.app import App
from flotilla.bus.connection import connect
from flotilla.http import errors
from flotilla.http.features import feature_routes
from flotilla.http.parked import parked_routes
from flotilla.http.plain import Plain
from flotilla.http.routes import Routes
from flotilla.http.sagas import saga_routes
from flotilla.service import Service
from flotilla.telemetry.traces import span

log = structlog.get_logger()

READY_SECONDS = 2.0


def build(service: Service) -> FastAPI:
    """The application, not yet tied to a process (`application.state.app`)."""
    application = FastAPI(
        title=f"Flotilla {service.name}", version="1", openapi_url=None, docs_url=None, redoc_url=None
    )
    errors.install(application)
    sagas = (saga_routes(service.name),) if service.sagas else ()
    features = (feature_routes(service.name),) if service.privacy else ()
    for routes in (*service.routes, *sagas, *features, parked_routes(service.name)):
        application.include_router(routes)
    _operational(application)
    return application


def serve(app: App) -> ASGIApp:
    """The application of a running process."""
    application = build(app.service)
    application.state.app = app
    plain = [each for routes in app.service.routes if isinstance(routes, Routes) for each in routes.plain]
    traced = _Traced(Plain(application, plain) if plain else application)
    wrapped: ASGIApp = app.service.asgi(app, traced) if app.service.asgi else traced
    return wrapped


class _Traced:
    """Continues the trace that the gateway began."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inner(scope, receive, send)
            return
        headers = dict(scope["headers"])
        traceparent = headers.get(b"traceparent")
        resource = "/".join(scope["path"].split("/")[:3])  # without ids: names are few
        name = f"{scope.get('method', 'WEBSOCKET')} {resource}"
        with span(name, traceparent.decode("ascii", "replace") if traceparent else None):
            await self._inner(scope, receive, send)


def _operational(application: FastAPI) -> None:
    @application.get("/healthz", include_in_schema=False)
    @application.get("/health", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        """Alive."""
        return {"status": "ok"}

    @application.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """Whether each dependency, by name, can be used."""
        return await _ready(application.state.app)

    @application.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _ready(app: App) -> Response:
    checks: dict[str, Callable[[], Awaitable[Any]]] = {
        "postgres": lambda: app.db.fetchval("SELECT 1"),
        "rabbitmq": lambda: _broker(app),
    }
    if app.documents is not None:
        checks["documents"] = app.documents.ping
    if app.redis is not None:
        redis = app.redis
        checks["redis"] = lambda: redis.ping()
    for name, check in app.service.ready.items():
        checks[name] = lambda check=check: check(app)  # type: ignore[misc]
    names = list(checks)
    found = await asyncio.gather(*(_state(name, checks[name]) for name in names))
    states = dict(zip(names, found, strict=True))
    ready = not app.stopping.is_set() and all(state == "ok" for state in states.values())
    body = {"status": "ready" if ready else "not ready", "dependencies": states}
    return Response(msgspec.json.encode(body), 200 if ready else 503, media_type="application/json")


async def _state(name: str, check: Callable[[], Awaitable[Any]]) -> str:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await check()
    except Exception as error:
        log.warning("dependency.away", dependency=name, error=repr(error))
        return "away"
    return "ok"


async def _broker(app: App) -> None:
    """Every lane has its consumer; where there is no lane, a connection can be made."""
    if app.lanes:
        for lane in app.lanes:
            await lane.consuming.wait()
        return
    connection = await connect(app.settings.amqp_url.get_secret_value())
    await connection.close()
