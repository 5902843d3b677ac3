"""A service as a running process: opened in order, drained and closed in the opposite one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from redis.asyncio import Redis

from flotilla.app import App
from flotilla.bus import jobs
from flotilla.bus.consumer import LaneConsumer
from flotilla.bus.jobs import JobLoop
from flotilla.bus.relay import Relay
from flotilla.bus.timers import TimerLoop
from flotilla.bus.transient import Transient
from flotilla.bus.workers import BUS_WORKERS, run_worker
from flotilla.cells import check_database
from flotilla.replay import loops as replays
from flotilla.replay.plan import rebuildable
from flotilla.security.principal import PrincipalVerifier
from flotilla.security.sealing import Keyring
from flotilla.security.tls import Tls
from flotilla.service import Service
from flotilla.settings import Settings
from flotilla.store.documents import Documents
from flotilla.store.postgres import Database

log = structlog.get_logger()


class LoopEndedError(RuntimeError):
    """A loop ended although the process was not told to stop."""


@asynccontextmanager
async def opened(service: Service, settings: Settings) -> AsyncIterator[App]:
    """The service's stores and resources, without its loops: for the process, for tests and tools."""
    async with AsyncExitStack() as stack:
        db = await Database.open(
            settings.postgres_dsn.get_secret_value(), connections=settings.postgres_connections
        )
        stack.push_async_callback(db.close)
        async with db.pool.acquire() as connection:
            await check_database(connection, settings.region)
        relay = Relay(settings.amqp_url.get_secret_value(), db)
        stack.push_async_callback(relay.close)
        transient = Transient(
            settings.amqp_url.get_secret_value(), service=service.name, region=settings.region
        )
        stack.push_async_callback(transient.close)
        app = App(
            service=service,
            settings=settings,
            db=db,
            relay=relay,
            transient=transient,
            keyring=Keyring(
                settings.master_keys.get_secret_value(), settings.derivation_keys.get_secret_value()
            ),
            principals=PrincipalVerifier(settings.principal_public_keys, service.name),
            tls=Tls.of(settings),
        )
        db.app = app
        app.known.flags.environment = settings.environment
        if service.documents:
            url = settings.documents_url.get_secret_value()
            app.documents = Documents.open(url, f"{settings.documents_prefix}_{service.name}")
            stack.push_async_callback(app.documents.close)
        if service.redis:
            app.redis = Redis.from_url(
                settings.redis_url.get_secret_value(), socket_timeout=5, socket_connect_timeout=2
            )
            stack.push_async_callback(app.redis.aclose)
        if service.resources is not None:
            app.own = await stack.enter_async_context(service.resources(app))
        yield app


@asynccontextmanager
async def working(app: App) -> AsyncIterator[App]:
    """The service's loops: relay, lanes, jobs, timers, workers. Leaving drains them within the grace period."""
    await app.known.read(app.db)
    relay = _task(app, "relay", app.relay.run)
    certificates = asyncio.create_task(app.tls.keep(app.stopping)) if app.tls else None
    cut_off = asyncio.create_task(_cut_off_at(app), name="cut off")
    app.lanes[:] = [
        LaneConsumer(app, lane, lane.handling(app) if lane.handling else None) for lane in app.service.lanes
    ]
    workers = (*BUS_WORKERS, *app.service.workers)
    if rebuildable(app.service):
        app.lanes.append(replays.consumer(app))
        workers += (replays.worker,)
    loops = [
        _task(app, "known", lambda: app.known.keep(app)),
        *(_task(app, f"lane {consumer.name}", consumer.run) for consumer in app.lanes),
        *(_task(app, f"jobs {kind.kind}", JobLoop(app, kind).run) for kind in app.service.jobs),
        *(_task(app, f"timers {kind.kind}", TimerLoop(app, kind).run) for kind in app.service.timers),
        *(_task(app, worker.name, _worker(app, worker)) for worker in workers),
    ]
    if app.service.jobs or app.service.timers:
        loops.append(_task(app, "jobs due", lambda: jobs.watch(app)))
    try:
        yield app
    finally:
        app.stopping.set()
        if certificates is not None:
            certificates.cancel()
        left = await cut_off - asyncio.get_running_loop().time()
        _, late = await asyncio.wait(loops, timeout=max(0.0, left))
        for task in late:
            log.warning("stop.cut_off", loop=task.get_name())
            task.cancel()
        ends = await asyncio.gather(*loops, return_exceptions=True)
        await app.relay.drained(min(app.settings.grace_seconds, 5))
        relay.cancel()
        ends += await asyncio.gather(relay, return_exceptions=True)
    for error in ends:
        if isinstance(error, Exception):
            raise error


async def _cut_off_at(app: App) -> float:
    """When the grace period ends, counted from the moment the process was told to stop."""
    await app.stopping.wait()
    return asyncio.get_running_loop().time() + app.settings.grace_seconds


def _worker(app: App, worker: Any) -> Callable[[], Coroutine[Any, Any, None]]:
    return lambda: run_worker(app, worker)


def _task(app: App, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
    """A loop of the process; one that ends too early stops the process: half a service is none."""

    async def guarded() -> None:
        try:
            await run()
            if not app.stopping.is_set():
                raise LoopEndedError(f"{name} ended by itself")
        except Exception as error:
            log.critical("loop.failed", loop=name, exc_info=error)
            raise
        finally:
            app.stopping.set()

    return asyncio.create_task(guarded(), name=name)
