"""flags: features that are on or off for all organizations, or for one, as operators say."""

import asyncio
import getpass
from typing import Annotated, Final
from uuid import UUID

import asyncpg
import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from flotilla.cause import Cause
from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained, failed
from flotilla.flags.memory import ANY, ENVIRONMENTS
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.instance import Instance

app = typer.Typer(help="Feature flags, as their operators see them.", no_args_is_help=True)

LIST: Final = """
SELECT organization_id, key, environment, enabled, percentage, description FROM auth.feature_flags
WHERE state = 'active' AND organization_id = $1 ORDER BY key, environment"""
# Carried out by auth as a timer that is due, in the transaction that tells all services.
SET: Final = """
INSERT INTO auth_bus.jobs (id, organization_id, kind, key, payload, cause, due_at)
VALUES ($1, $2, 'feature_flag', $3, $4::text::jsonb, $5::text::jsonb, now())"""

Key = Annotated[str, typer.Argument(help="As `quick-replies`.")]
Org = Annotated[UUID, typer.Option(help="An organization; by default the platform, whose word is for all.")]
Environment = Annotated[str, typer.Option(help=f"One of {', '.join(ENVIRONMENTS)}.")]


@app.command("list")
def listing(org: Org = PLATFORM_ORG, instance: InstanceName = "dev") -> None:
    """What is said of features."""
    with explained(instance):
        asyncio.run(_list(Instance.load(instance), org))


@app.command()
def on(
    key: Key,
    percentage: Annotated[int, typer.Option(min=0, max=100, help="For how many of a hundred.")] = 100,
    environment: Environment = ANY,
    org: Org = PLATFORM_ORG,
    instance: InstanceName = "dev",
) -> None:
    """Turn it on, also for some only."""
    with explained(instance):
        asyncio.run(say(Instance.load(instance), org, key, environment, enabled=True, percentage=percentage))


@app.command()
def off(
    key: Key, environment: Environment = ANY, org: Org = PLATFORM_ORG, instance: InstanceName = "dev"
) -> None:
    """Turn it off."""
    with explained(instance):
        asyncio.run(say(Instance.load(instance), org, key, environment, enabled=False))


@app.command()
def delete(
    key: Key, environment: Environment = ANY, org: Org = PLATFORM_ORG, instance: InstanceName = "dev"
) -> None:
    """Say nothing of it any more."""
    with explained(instance):
        asyncio.run(say(Instance.load(instance), org, key, environment, enabled=False, deleted=True))


async def say(
    instance: Instance,
    org: UUID,
    key: str,
    environment: str,
    *,
    enabled: bool,
    percentage: int = 100,
    deleted: bool = False,
) -> None:
    """Have auth say it to all services, as soon as it can."""
    if environment not in ENVIRONMENTS:
        raise failed(f"there is no environment {environment}; say one of {', '.join(ENVIRONMENTS)}")
    said = {
        "key": key,
        "environment": environment,
        "enabled": enabled,
        "percentage": percentage,
        "description": "",
        "deleted": deleted,
    }
    cause = msgspec.json.encode(Cause.fresh(f"operator:{getpass.getuser()}")).decode()
    job = new_id()
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    try:
        await connection.execute(SET, job, org, str(job), msgspec.json.encode(said).decode(), cause)
    finally:
        await connection.close()


async def _list(instance: Instance, org: UUID) -> None:
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    try:
        rows = await connection.fetch(LIST, org)
    finally:
        await connection.close()
    table = Table("key", "environment", "on", "for", "description", box=None)
    for row in rows:
        on_or_off, share = "on" if row["enabled"] else "off", f"{row['percentage']} %"
        table.add_row(escape(row["key"]), row["environment"], on_or_off, share, escape(row["description"]))
    console.print(table)
