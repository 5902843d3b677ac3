"""sagas: list the flows over several services, read one step by step."""

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained, failed
from flotilla.instance import Instance
from flotilla.sagas.machine import SagaState, StepRun
from flotilla.service import load, present

app = typer.Typer(help="Flows over several services, with what was done and undone.", no_args_is_help=True)

LIST: Final = """
SELECT id, organization_id, kind, subject_id, state, reason, started_at FROM {schema}.sagas
WHERE ($1::uuid IS NULL OR organization_id = $1) AND ($2::text IS NULL OR state = $2)
ORDER BY id DESC LIMIT $3"""
READ: Final = "SELECT * FROM {schema}.sagas WHERE id = $1"

State = Annotated[SagaState | None, typer.Option(help="Only those in this state.")]


@app.command("list")
def list_(
    service: Annotated[
        str | None, typer.Argument(help="One service; all that have sagas if not given.")
    ] = None,
    state: State = None,
    org: Annotated[UUID | None, typer.Option(help="Only this organization's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many of each service.")] = 50,
    instance: InstanceName = "dev",
) -> None:
    """Sagas, the newest first."""
    services = [_known(service)] if service else _with_sagas()
    table = Table(
        "service", "saga", "kind", "about", "state", "started", "reason", box=None, header_style="dim"
    )
    with explained(instance):
        rows = asyncio.run(_list(Instance.load(instance), services, org, state, limit))
    for name, row in rows:
        started = f"{row['started_at']:%m-%d %H:%M:%S}"
        cells = (name, row["id"], row["kind"], row["subject_id"], row["state"], started, row["reason"] or "")
        table.add_row(*(escape(str(cell)) for cell in cells))
    if not rows:
        table.add_row("no saga")
    console.print(table)


@app.command()
def show(
    service: Annotated[str, typer.Argument(help="The service that runs it.")],
    saga: Annotated[UUID, typer.Argument(help="Its id, as `sagas list` shows it.")],
    instance: InstanceName = "dev",
) -> None:
    """One saga, step by step."""
    with explained(instance):
        row = asyncio.run(_read(Instance.load(instance), _known(service), saga))
    if row is None:
        raise failed(f"{service} has no saga {saga}")
    console.print(f"{row['kind']} of {row['subject_id']}: {row['state']}  {escape(row['reason'] or '')}")
    table = Table("step", "state", "asked", "answered", "request", "reason", box=None, header_style="dim")
    for step in msgspec.json.decode(row["steps"], type=list[StepRun]):
        times = (f"{at:%H:%M:%S}" if at else "" for at in (step.asked_at, step.answered_at))
        cells = (step.name, step.state, *times, step.request_id or "", step.reason or "")
        table.add_row(*(escape(str(cell)) for cell in cells))
    console.print(table)


async def _list(
    instance: Instance, services: list[str], org: UUID | None, state: str | None, limit: int
) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    connection = await _connect(instance)
    try:
        for service in services:
            rows = await connection.fetch(LIST.format(schema=service), org, state, limit)
            found += [(service, row) for row in rows]
    finally:
        await connection.close()
    return found


async def _read(instance: Instance, service: str, saga: UUID) -> Any:
    connection = await _connect(instance)
    try:
        return await connection.fetchrow(READ.format(schema=service), saga)
    finally:
        await connection.close()


async def _connect(instance: Instance) -> asyncpg.Connection:
    """As the instance's administrator: an operator sees the sagas of every organization."""
    return await asyncpg.connect(instance.admin_dsn(), timeout=10)


def _with_sagas() -> list[str]:
    return [service.name for service in present() if service.sagas]


def _known(service: str) -> str:
    if service not in (names := _with_sagas()):
        raise failed(f"{service} has no sagas; the services that do: {', '.join(names)}")
    return load(service).name
