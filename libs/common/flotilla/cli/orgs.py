"""org: look an organization up, close it, open it again."""

import asyncio
import getpass
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from flotilla.cause import Cause
from flotilla.cli.carrying import carried_out
from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained, failed
from flotilla.ids import new_id
from flotilla.instance import Instance

app = typer.Typer(help="Organizations, as their operators see them.", no_args_is_help=True)

READ: Final = """
SELECT id, name, slug, region, state, onboarding, suspension_reason, created_at FROM auth.organizations WHERE id = $1"""

# Carried out by auth as a timer that is due; with it goes what came of it, so nothing is told that is not so.
DECIDE: Final = """
INSERT INTO auth_bus.jobs (id, organization_id, kind, key, payload, cause, due_at)
VALUES ($1, $2, 'suspension', $3, $4::text::jsonb, $5::text::jsonb, now())"""

OrgId = Annotated[UUID, typer.Argument(help="The organization's id.")]


@app.command()
def show(org: OrgId, instance: InstanceName = "dev") -> None:
    """One organization: its state, and why."""
    with explained(instance):
        _print(asyncio.run(_read(Instance.load(instance), org)))


@app.command()
def suspend(
    org: OrgId,
    reason: Annotated[str, typer.Option(help="Why: told to its people and kept.", prompt=True)],
    instance: InstanceName = "dev",
) -> None:
    """Close it: its people and programs are refused from now on. Nothing of it is deleted."""
    if not reason.strip():
        raise failed("say why, in a few words")
    with explained(instance):
        _print(asyncio.run(decide(Instance.load(instance), org, reason.strip())))


@app.command()
def reopen(org: OrgId, instance: InstanceName = "dev") -> None:
    """Open it again, as it was before."""
    with explained(instance):
        _print(asyncio.run(decide(Instance.load(instance), org, None)))


async def decide(instance: Instance, org: UUID, reason: str | None) -> Any:
    """Have auth close the organization for a reason, or open it again: its row once that is done."""
    cause = Cause.fresh(f"operator:{getpass.getuser()}")
    job, said = new_id(), msgspec.json.encode({"reason": reason}).decode()
    connection = await _connect(instance)
    try:
        await _known(connection, org)
        await connection.execute(DECIDE, job, org, f"{org}:{job}", said, msgspec.json.encode(cause).decode())
        await carried_out(connection, job)
        return await _known(connection, org)
    finally:
        await connection.close()


async def _read(instance: Instance, org: UUID) -> Any:
    connection = await _connect(instance)
    try:
        return await _known(connection, org)
    finally:
        await connection.close()


async def _known(connection: asyncpg.Connection, org: UUID) -> Any:
    row = await connection.fetchrow(READ, org)
    if row is None:
        raise failed(f"there is no organization {org}")
    return row


async def _connect(instance: Instance) -> asyncpg.Connection:
    """As the instance's administrator: an operator sees every organization."""
    return await asyncpg.connect(instance.admin_dsn(), timeout=10)


def _print(row: Any) -> None:
    table = Table(box=None, show_header=False)
    for name in ("id", "name", "slug", "region", "state", "onboarding", "suspension_reason", "created_at"):
        if row[name] is not None:
            table.add_row(name.replace("_", " "), escape(str(row[name])))
    console.print(table)
