"""The real servers: started, found running, killed, started again, stopped; each answers its own protocol."""

import socket
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.native.node import PortTakenError
from flotilla.native.vhost import delete_vhost, ensure_vhost
from flotilla.store.migrate import _role_sql, instance_roles
from flotilla.testing.eventually import eventually
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

QUEUE = "kept"
NAME = "Ermentrude Vix"


def pids(fleet: Fleet) -> dict[str, int | None]:
    return {server.name: server.status().pid for server in fleet.servers()}


async def keep_something(instance: Instance) -> None:
    """Writes to each server that promises to keep what it acknowledged."""
    database = await asyncpg.connect(instance.admin_dsn("postgres"))
    await database.execute("CREATE TABLE kept AS SELECT 1 AS here")
    await database.close()
    broker = await aio_pika.connect(instance.amqp_url)
    async with broker:
        channel = await broker.channel()
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"here", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, QUEUE)
    await eventually(lambda: broker_knows_its_queue(instance), what="the queue in the broker's directory")
    async with AsyncMongoClient[dict[str, object]](instance.documents_url) as documents:
        await documents["spare"]["kept"].insert_one({"_id": 1})


async def broker_knows_its_queue(instance: Instance) -> bool:
    """The broker writes its directory of quorum queues down half a second after a declaration.

    A crash before that leaves a queue that exists and never answers; the fleet's queues are declared once,
    long before anything is published.
    """
    directory = instance.folder.glob("rabbitmq/data/*/quorum/*/names.dets")
    return any(QUEUE.encode() in file.read_bytes() for file in directory)


async def find_it_again(instance: Instance) -> None:
    database = await asyncpg.connect(instance.admin_dsn("postgres"))
    assert await database.fetchval("SELECT here FROM kept") == 1
    await database.close()
    broker = await aio_pika.connect(instance.amqp_url)
    async with broker:
        channel = await broker.channel()
        queue = await channel.get_queue(QUEUE)
        async with queue.iterator(timeout=30) as messages:
            assert (await anext(messages)).body == b"here"
    async with AsyncMongoClient[dict[str, object]](instance.documents_url) as documents:
        assert await documents["spare"]["kept"].count_documents({"_id": 1}) == 1


async def test_only_the_right_password_opens_postgres_and_redis(fleet: Fleet) -> None:
    await fleet.start_servers()
    instance = fleet.instance
    wrong = instance.admin_dsn("postgres").replace(instance.secrets.postgres_admin, "guess")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)
    async with Redis.from_url(instance.redis_url.replace(instance.secrets.redis, "guess")) as redis:
        with pytest.raises(Exception, match="invalid username-password"):
            await redis.ping()


async def test_postgres_runs_as_the_fleet_needs_it(fleet: Fleet) -> None:
    await fleet.start_servers()
    database = await asyncpg.connect(fleet.instance.admin_dsn("postgres"))
    shown = {
        name: await database.fetchval(f"SHOW {name}")
        for name in ("max_connections", "synchronous_commit", "data_checksums", "listen_addresses")
    }
    await database.close()
    assert shown == {
        "max_connections": "200",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "127.0.0.1",
    }


async def test_what_statements_say_of_people_is_in_no_log_of_postgres(fleet: Fleet) -> None:
    """Slow ones, and those that fail: of a row that is there, of a value that is none, and as the role of a service."""
    await fleet.start_servers()
    instance = fleet.instance
    log = instance.folder / "logs" / "postgres.log"
    database = await asyncpg.connect(instance.admin_dsn("postgres"))
    try:
        begun = log.stat().st_size
        await database.execute("CREATE TEMP TABLE people (name text PRIMARY KEY)")
        await database.execute("INSERT INTO people VALUES ($1)", NAME)
        with pytest.raises(asyncpg.UniqueViolationError):
            await database.execute("INSERT INTO people VALUES ($1)", NAME)
        for statement in ("SELECT $1::text::uuid", "SELECT $1::text::jsonb"):
            with pytest.raises(asyncpg.DataError):
                await database.execute(statement, NAME)
        await database.fetchval("SELECT $1::text || pg_sleep(0.6)::text", NAME)
        await database.execute(f"DO $$ BEGIN PERFORM pg_sleep(0.6); END $$; /* {role_sql(instance)} */")
    finally:
        await database.close()

    async def told() -> bool:
        return log.read_bytes()[begun:].count(b"duration: ") >= 2

    await eventually(told, what="both slow statements in the log")
    written = log.read_text()[begun:]
    assert "|| pg_sleep" in written, "a slow statement is told"
    assert NAME not in written
    assert instance.secrets.postgres["auth"].owner not in written


def role_sql(instance: Instance) -> str:
    """As migrations write it, slow or not."""
    return _role_sql(instance_roles(instance, "auth")[0], "auth")


async def test_a_vhost_of_ones_own(fleet: Fleet) -> None:
    await fleet.start_servers()
    beside = fleet.instance.with_isolation(vhost="beside")
    await ensure_vhost(beside)
    await ensure_vhost(beside)
    async with await aio_pika.connect(beside.amqp_url) as connection:
        assert not connection.is_closed
    await delete_vhost(beside)
    await delete_vhost(beside)
    with pytest.raises(ValueError, match="belongs to the fleet"):
        await delete_vhost(fleet.instance)


async def test_nothing_is_readable_by_others_where_a_password_stands(fleet: Fleet) -> None:
    await fleet.start_servers()
    password_files = [fleet.instance.folder / name for name in ("redis/redis.conf", "rabbitmq/rabbitmq.conf")]
    assert all(_mode(file) == 0o600 for file in password_files)


async def test_servers_survive_a_kill_with_what_they_acknowledged_and_stop_cleanly(fleet: Fleet) -> None:
    await fleet.start_servers()
    started = pids(fleet)
    assert all(started.values())

    await fleet.start_servers()
    assert pids(fleet) == started, "a second start must leave what runs alone"

    await keep_something(fleet.instance)
    for name in started:
        fleet.processes.kill(name)
    await fleet.start_servers()
    assert not set(pids(fleet).values()) & set(started.values())
    await find_it_again(fleet.instance)

    await fleet.stop_servers()
    assert not any(pids(fleet).values())
    assert not fleet.processes.alive("epmd"), "the broker's port mapper must not outlive it"
    await fleet.stop_servers()


async def test_a_stranger_on_the_port_is_named_and_left_alone(fleet: Fleet) -> None:
    await fleet.stop_servers()
    with socket.create_server(("127.0.0.1", fleet.instance.ports.redis)):
        redis = next(server for server in fleet.servers() if server.name == "redis")
        with pytest.raises(PortTakenError, match=r"deploy/instances/spare\.toml"):
            await redis.start()


def _mode(file: Path) -> int:
    return file.stat().st_mode & 0o777
