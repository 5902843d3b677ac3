"""A database, a vhost, a Redis index and a document prefix of their own for each (worker, service)."""

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from flotilla.bus.topology import declare_all
from flotilla.instance import Instance
from flotilla.native.vhost import delete_vhost, ensure_vhost
from flotilla.replay.plan import tables_of
from flotilla.service import Service
from flotilla.store.documents import Documents
from flotilla.store.migrate import BUS_MIGRATIONS, migrate_all

REDIS_INDEXES = 250
"""From 1 on; whole fleets have fixed ones behind them."""


@asynccontextmanager
async def isolated(service: Service, worker: str) -> AsyncIterator[Instance]:
    """The test instance with everything of this worker's own, from a migrated template, gone afterwards."""
    instance = Instance.load("test")
    template = await _template(instance, service)
    name = f"t_{os.getpid()}_{worker}_{service.name}_{os.urandom(2).hex()}"
    with _redis_index(instance.folder) as index:
        own = instance.with_isolation(database=name, vhost=name, documents_prefix=name, redis_index=index)
        await _emptied(own)
        await _admin(instance, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        await ensure_vhost(own)
        try:
            await declare_all(own.amqp_url, [service])
            yield own
        finally:
            await delete_vhost(own)
            await drop_database(own)
            if service.documents:
                documents = Documents.open(own.documents_url, f"{name}_{service.name}")
                await documents.drop()
                await documents.close()


@contextmanager
def _redis_index(folder: Path) -> Iterator[int]:
    """One that nobody else has, as long as this process lives."""
    locks = folder / "redis"
    locks.mkdir(parents=True, exist_ok=True)
    for index in range(1, 1 + REDIS_INDEXES):
        with (locks / f"{index}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield index
            return
    raise RuntimeError(f"All {REDIS_INDEXES} indexes of Redis are in use by tests.")


async def _emptied(instance: Instance) -> None:
    """What an earlier test left there is nobody's."""
    async with Redis.from_url(instance.redis_url) as redis:
        await redis.flushdb()


async def _template(instance: Instance, service: Service) -> str:
    """A migrated database, made once for each state of the service's ladders and of its shadow."""
    digest = hashlib.sha256(repr((service.name, tables_of(service))).encode())
    for folder in (BUS_MIGRATIONS, service.migrations):
        for file in sorted(folder.glob("*.sql")):
            digest.update(file.name.encode() + file.read_bytes())
    name = f"template_{service.name}_{digest.hexdigest()[:12]}"
    with _lock(instance.folder / "templates.lock"):
        connection = await asyncpg.connect(instance.admin_dsn("postgres"), timeout=10)
        try:
            made = await connection.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name)
            if made:
                return name
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await migrate_all(instance.with_isolation(database=name), (service,), topology=False)
            await connection.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE true')
        finally:
            await connection.close()
    return name


async def drop_database(instance: Instance) -> None:
    """Remove an isolated instance's database, whoever is connected to it."""
    await _admin(instance, f'DROP DATABASE IF EXISTS "{instance.database}" WITH (FORCE)')


async def _admin(instance: Instance, sql: str) -> None:
    connection = await asyncpg.connect(instance.admin_dsn("postgres"), timeout=10)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One worker at a time makes a template; the others wait and find it made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
