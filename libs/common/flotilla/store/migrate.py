"""Migrations: numbered SQL, forward only, each in a transaction, applied as the schema's owner.

Every service has two schemas and a ladder for each: `<service>_bus` (the bus's own tables, from
flotilla/bus/migrations) and `<service>` (its own, from services/<service>/migrations); and a third, `<service>_shadow`,
where its projections are built anew (flotilla/replay), which is brought in line behind both. The runtime role owns
nothing and can reach no other service's schema. A migration that was applied may not be changed afterwards.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from flotilla.bus import declared
from flotilla.bus.topology import declare_all
from flotilla.cells import claim_database
from flotilla.instance import owner_role, runtime_role
from flotilla.replay.twins import make_twins, schema_of
from flotilla.service import Service, present
from flotilla.store.scram import verifier

if TYPE_CHECKING:
    from flotilla.instance import Instance

BUS_MIGRATIONS: Final = Path(__file__).parent.parent / "bus" / "migrations"
# An extension's settings are known once it is loaded, and only then may a function of the owner's bring one along.
LOADED: Final = "SELECT extensions.similarity('', '')"
EXTENSIONS: Final = ("pg_trgm", "btree_gin", "btree_gist", "pgcrypto", "unaccent")


class MigrationError(RuntimeError):
    """A ladder is not as it was when it was climbed."""


@dataclass(frozen=True)
class Role:
    """A database role and its password."""

    name: str
    password: str


async def migrate_all(
    instance: "Instance", services: tuple[Service, ...] | None = None, *, topology: bool = True
) -> int:
    """Bring the instance's database (and the broker's topology) up to date; the number of steps applied.

    `services`: by default all that are present.
    """
    services = present() if services is None else services
    await _create_database(instance, services)
    applied = 0
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    try:
        await claim_database(connection, instance.database, instance.file.region)
        await connection.execute(_database_sql(instance.database))
        for service in services:
            owner, runtime = instance_roles(instance, service.name)
            await connection.execute(_schema_sql(service.name, owner, runtime))
    finally:
        await connection.close()
    for service in services:
        async with _as_owner(instance, service) as connection:
            await connection.execute(LOADED)
            applied += await climb(connection, f"{service.name}_bus", BUS_MIGRATIONS)
            applied += await climb(connection, service.name, service.migrations)
            await make_twins(connection, service, runtime_role(service.name))
    if topology:
        await _declare(instance, services)
    return applied


async def _declare(instance: "Instance", services: tuple[Service, ...]) -> None:
    """What the broker needs, and no more what an earlier version did."""
    stale: dict[str, set[declared.Binding]] = {}
    for service in services:
        async with _as_owner(instance, service) as connection:
            stale[service.name] = await declared.note(connection, service)
    await declare_all(instance.amqp_url, services)
    for service in services:
        if gone := stale[service.name]:
            await declared.unbind(instance.amqp_url, gone)
            async with _as_owner(instance, service) as connection:
                await declared.forget(connection, service, gone)


@asynccontextmanager
async def _as_owner(instance: "Instance", service: Service) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(instance.owner_dsn(service.name), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


def instance_roles(instance: "Instance", service: str) -> tuple[Role, Role]:
    """The owner and the runtime role of a service."""
    passwords = instance.secrets.postgres[service]
    return (
        Role(owner_role(service), passwords.owner),
        Role(runtime_role(service), passwords.runtime),
    )


async def climb(connection: asyncpg.Connection, schema: str, folder: Path) -> int:
    """Apply what is missing of one ladder; MigrationError where an applied step has changed."""
    bus = schema if schema.endswith("_bus") else f"{schema}_bus"
    path = f"{schema}, {bus}, extensions" if bus != schema else f"{bus}, extensions"
    await connection.execute(f"SET search_path = {path}")
    await connection.execute("SELECT pg_advisory_lock(hashtext($1))", f"migrate {schema}")
    try:
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {schema}.migrations (number int PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = await connection.fetch(f"SELECT number, checksum FROM {schema}.migrations")  # noqa: S608
        done = {row["number"]: row["checksum"] for row in rows}
        applied = 0
        for file in sorted(folder.glob("[0-9]*.sql")):
            applied += await _step(connection, schema, file, done)
        return applied
    finally:
        await connection.execute("SELECT pg_advisory_unlock(hashtext($1))", f"migrate {schema}")


async def _step(connection: asyncpg.Connection, schema: str, file: Path, done: dict[int, str]) -> int:
    number = int(file.name.split("_")[0])
    sql = file.read_text()
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    if number in done:
        if done[number] != checksum:
            raise MigrationError(f"{schema}: {file.name} was applied and has changed since: add a new step")
        return 0
    try:
        async with connection.transaction():
            await connection.execute(sql)
            await connection.execute(
                f"INSERT INTO {schema}.migrations (number, name, checksum) VALUES ($1, $2, $3)",  # noqa: S608
                number,
                file.name,
                checksum,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{schema}: {file.name}: {error}") from error
    return 1


async def _create_database(instance: "Instance", services: tuple[Service, ...]) -> None:
    connection = await asyncpg.connect(instance.admin_dsn("postgres"), timeout=10)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('flotilla roles'))")
            for service in services:
                for role in instance_roles(instance, service.name):
                    await connection.execute(_role_sql(role, service.name))
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", instance.database):
            await connection.execute(f'CREATE DATABASE "{instance.database}"')
    finally:
        await connection.close()


def _role_sql(role: Role, service: str) -> str:
    return f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role.name}') THEN
                CREATE ROLE {role.name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
            END IF;
        END $$;
        ALTER ROLE {role.name} PASSWORD '{verifier(role.password)}';
        ALTER ROLE {role.name} SET search_path = {service}, {service}_bus, extensions;
    """


def _database_sql(database: str) -> str:
    extensions = "".join(f"CREATE EXTENSION IF NOT EXISTS {name} SCHEMA extensions;" for name in EXTENSIONS)
    return f"""
        CREATE SCHEMA IF NOT EXISTS extensions;
        GRANT USAGE ON SCHEMA extensions TO PUBLIC;
        {extensions}
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
        REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;
    """


def _schema_sql(service: str, owner: Role, runtime: Role) -> str:
    database_grant = (
        "DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {0}, {1}', current_database()); END $$;"
    )
    parts = [database_grant.format(owner.name, runtime.name)]
    parts.append(f"""
        CREATE SCHEMA IF NOT EXISTS {schema_of(service)} AUTHORIZATION {owner.name};
        GRANT USAGE ON SCHEMA {schema_of(service)} TO {runtime.name};
    """)
    for schema in (f"{service}_bus", service):
        defaults = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner.name} IN SCHEMA {schema}"
        parts.append(f"""
            CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner.name};
            GRANT USAGE ON SCHEMA {schema} TO {runtime.name};
            {defaults} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {runtime.name};
            {defaults} GRANT USAGE ON SEQUENCES TO {runtime.name};
            {defaults} GRANT EXECUTE ON FUNCTIONS TO {runtime.name};
        """)
    parts.append(f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner.name} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;")
    return "\n".join(parts)
