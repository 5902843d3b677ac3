"""Tenants are kept apart by the database itself: a fresh one is migrated on the test instance and looked into."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
from flotilla.instance import Instance
from flotilla.store.migrate import migrate_all

from checks.grants import check_grants
from checks.project import Finding, Project, ServiceTree
from checks.sealed import check_sealed
from checks.tables import Complaint, check_tables

TITLE = "tenants are kept apart in the database"
AWAY = "skipped, the test instance's Postgres is down (`flotilla up --instance test`)"


class AwayError(Exception):
    """What a check needs isn't there; it says how to bring it up."""


def check(project: Project) -> Iterator[Finding]:
    """Every service's migrated schema and roles; AwayError where there is no server to try them on."""
    services = project.running()
    complaints = asyncio.run(inspect(services, f"checks_{os.getpid()}"))
    for service, found in zip(services, complaints, strict=True):
        for name, message in found:
            yield Finding(*_place(service, name), f"{service.name}.{name} {message}")


async def inspect(
    services: list[ServiceTree],
    database: str,
    then: Callable[[asyncpg.Connection], Awaitable[None]] | None = None,
) -> list[list[Complaint]]:
    """What is wrong with each service in a database of this name, made for this and dropped again.

    `then` is done to the migrated database before it is looked into.
    """
    instance = Instance.load("test").with_isolation(database=database)
    try:
        server = await asyncpg.connect(instance.admin_dsn("postgres"), timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise AwayError(AWAY) from error
    try:
        await migrate_all(instance, tuple(service.service for service in services), topology=False)
        connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
        try:
            if then is not None:
                await then(connection)
            return [
                [
                    *await check_tables(connection, service.name),
                    *await check_grants(connection, service.name),
                    *await check_sealed(connection, service.service),
                ]
                for service in services
            ]
        finally:
            await connection.close()
    finally:
        await server.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        await server.close()


def _place(service: ServiceTree, name: str) -> tuple[Path, int]:
    """Where a migration makes the thing of that name."""
    made = rf"CREATE (?:OR REPLACE )?(?:TABLE|FUNCTION)\s+(?:IF NOT EXISTS\s+)?{name}\b"
    folder = service.folder / "migrations"
    for path in sorted(folder.glob("*.sql")):
        if found := re.search(made, path.read_text(), re.IGNORECASE):
            return path.relative_to(service.root), path.read_text()[: found.start()].count("\n") + 1
    return folder.relative_to(service.root), 1
