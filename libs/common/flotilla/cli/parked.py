"""parked: events that a handler could not do; list them, look at one, run it again, give it up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table

from flotilla.bus import parked
from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained, failed
from flotilla.instance import Instance
from flotilla.store.postgres import Database

STATES: Final = ("parked", "retrying", "waiting")

app = typer.Typer(help="Events that a handler could not do.", no_args_is_help=True)

ServiceName = Annotated[str, typer.Argument(help="The service whose handler failed.")]
EventId = Annotated[UUID, typer.Argument(help="The event's id, as `parked list` shows it.")]
State = Annotated[str | None, typer.Option(help="Only this state: parked, retrying or waiting.")]


@app.command("list")
def list_(
    service: Annotated[str | None, typer.Argument(help="One service; all if not given.")] = None,
    state: State = None,
    org: Annotated[UUID | None, typer.Option(help="Only this organization's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many of each service.")] = 50,
    instance: InstanceName = "dev",
) -> None:
    """What failed where, newest first."""
    if state is not None and state not in STATES:
        raise failed(f"there is no state {state}; the states are {', '.join(STATES)}")
    with explained(instance):
        fleet = Instance.load(instance)
        services = [_known(fleet, service)] if service else list(fleet.services)
        console.print(asyncio.run(_table(fleet, services, org, state, limit)))


@app.command()
def show(service: ServiceName, event: EventId, instance: InstanceName = "dev") -> None:
    """One event: its body, and the error and stack of each handler that failed on it."""
    with explained(instance):
        asyncio.run(_show(Instance.load(instance), service, event))


@app.command()
def replay(service: ServiceName, event: EventId, instance: InstanceName = "dev") -> None:
    """Run it again, its attempts forgotten, within seconds."""
    with explained(instance):
        handlers = asyncio.run(_replay(Instance.load(instance), service, event))
    if not handlers:
        raise failed(f"{service} has no parked event {event} that a handler could take")
    console.print(f"handed to {handlers} handler{'s' if handlers > 1 else ''} again")


@app.command()
def discard(
    service: ServiceName,
    event: EventId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    instance: InstanceName = "dev",
) -> None:
    """Give it up for good: what it would have done never happens."""
    if not yes:
        typer.confirm(f"Discard {event}? What it would have done in {service} never happens", abort=True)
    with explained(instance):
        rows = asyncio.run(_discard(Instance.load(instance), service, event))
    if not rows:
        raise failed(f"{service} has no parked event {event}")
    console.print("discarded")


async def _table(
    instance: Instance, services: list[str], org: UUID | None, state: str | None, limit: int
) -> Table:
    columns = ("service", "event", "type", "handler", "state", "attempts", "failed at", "error")
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for service in services:
        async with _database(instance, service) as db:
            rows = await parked.listing(db, org, state, parked.ORDERS[parked.LATEST], None, limit)
        for row in rows:
            failed_at = f"{row['failed_at']:%m-%d %H:%M:%S}"
            cells = (service, row["event_id"], row["type"], row["handler"], row["state"], row["attempts"])
            table.add_row(*(escape(str(cell)) for cell in (*cells, failed_at, row["error"])))
    if not table.row_count:
        table.add_row("nothing is parked")
    return table


async def _show(instance: Instance, service: str, event: UUID) -> None:
    async with _database(instance, service) as db:
        rows = await parked.read(db, event)
    if not rows:
        raise failed(f"{service} has no parked event {event}")
    body = bytes(rows[0]["body"]).decode(errors="replace")
    try:
        console.print_json(body)
    except ValueError:  # what is no event of ours may be no JSON either
        console.print(escape(body))
    for row in rows:
        console.rule(f"{escape(row['handler'] or 'unreadable')}: {row['state']}, {row['attempts']} attempts")
        console.print(escape(row["error"]), style="red")
        console.print(escape(row["stack"]))


async def _replay(instance: Instance, service: str, event: UUID) -> int:
    async with _database(instance, service) as db:
        return await parked.replay(db, event)


async def _discard(instance: Instance, service: str, event: UUID) -> int:
    async with _database(instance, service) as db:
        return await parked.discard(db, event)


@asynccontextmanager
async def _database(instance: Instance, service: str) -> AsyncIterator[Database]:
    db = await Database.open(instance.runtime_dsn(_known(instance, service)), connections=1)
    try:
        yield db
    finally:
        await db.close()


def _known(instance: Instance, service: str) -> str:
    if service not in instance.services:
        raise failed(f"there is no service {service}; the services here are {', '.join(instance.services)}")
    return service
