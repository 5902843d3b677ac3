"""What a process does on its own: the service's workers and the bus's, some under a lease."""

import asyncio
import random
from datetime import timedelta
from typing import Final

import structlog

from flotilla.app import App
from flotilla.bus import inbox, parked
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import Worker
from flotilla.bus.rerun import rerun_due
from flotilla.ids import new_id
from flotilla.telemetry import metrics

log = structlog.get_logger()

MIN_LEASE: Final = timedelta(seconds=10)
UNLEASED_LIMIT: Final = timedelta(minutes=5)
TAKE_LEASE: Final = """
INSERT INTO leases (name, token, until) VALUES ($1, $2, now() + $3)
ON CONFLICT (name) DO UPDATE SET token = excluded.token, until = excluded.until
WHERE leases.until < now() OR leases.token = excluded.token RETURNING name"""
GIVE_BACK: Final = "DELETE FROM leases WHERE name = $1 AND token = $2"
FORGET_KEYS: Final = """
DELETE FROM idempotency_keys WHERE (scope, key) IN (
    SELECT scope, key FROM idempotency_keys WHERE used_at < now() - interval '24 hours' LIMIT $1)"""
FORGOTTEN_AT_ONCE: Final = 5000

FORGET_SUSPECTS: Final = "DELETE FROM suspects WHERE begun_at < now() - interval '3 days'"


async def _sweep(app: App) -> None:
    swept = await app.relay.sweep()
    if swept:
        log.info("outbox.swept", events=swept)


async def _give_up(app: App) -> None:
    await app.relay.give_up()


async def _keep_partitions(app: App) -> None:
    await inbox.keep_partitions(app.db)


async def _rerun_parked(app: App) -> None:
    while await rerun_due(app) and not app.stopping.is_set():
        pass


async def _count(app: App) -> None:
    await parked.count(app.db)
    metrics.POOL_CONNECTIONS.labels("open").set(app.db.pool.get_size())
    metrics.POOL_CONNECTIONS.labels("idle").set(app.db.pool.get_idle_size())
    metrics.OUTBOX_ROWS.set(await app.db.fetchval("SELECT count(*) FROM outbox"))


async def _forget(app: App) -> None:
    while await app.db.execute(FORGET_KEYS, FORGOTTEN_AT_ONCE) == f"DELETE {FORGOTTEN_AT_ONCE}":
        pass
    await app.db.execute(FORGET_SUSPECTS)


BUS_WORKERS: Final = (
    Worker("bus.sweep", timedelta(seconds=2), _sweep),
    Worker("bus.give_up", timedelta(seconds=2), _give_up, leased=False),
    Worker("bus.inbox", timedelta(minutes=10), _keep_partitions),
    Worker("bus.parked", timedelta(seconds=1), _rerun_parked, leased=False),
    Worker("bus.gauges", timedelta(seconds=15), _count, leased=False),
    Worker("bus.forget", timedelta(minutes=5), _forget),
)


async def run_worker(app: App, worker: Worker) -> None:
    """Again and again until the process stops; a failure is logged, and the next turn comes."""
    token = new_id()
    lease = max(worker.every * 3, MIN_LEASE)
    limit = lease if worker.leased else max(lease, UNLEASED_LIMIT)
    try:
        while not app.stopping.is_set():
            try:
                async with asyncio.timeout(limit.total_seconds()):
                    if not worker.leased or await app.db.fetchval(TAKE_LEASE, worker.name, token, lease):
                        await worker.run(app)
            except INFRASTRUCTURE_ERRORS as error:
                log.warning("worker.paused", worker=worker.name, error=type(error).__name__)
            except Exception as error:
                log.error("worker.failed", worker=worker.name, exc_info=error)
            await app.pause(worker.every.total_seconds() * random.uniform(0.9, 1.1))
    finally:
        if worker.leased:
            await _give_back(app, worker, token)


async def _give_back(app: App, worker: Worker, token: object) -> None:
    try:
        await app.db.execute(GIVE_BACK, worker.name, token)
    except Exception as error:  # it runs out by itself
        log.warning("worker.lease_kept", worker=worker.name, error=repr(error))
