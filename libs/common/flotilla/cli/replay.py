"""replay: have projections of a service built anew from the archive, see how it went, end one."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import aio_pika
import asyncpg
import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from flotilla.bus.envelope import encode
from flotilla.bus.topology import EXCHANGE
from flotilla.cause import Cause
from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained, failed
from flotilla.events.analytics import ReplayRequested
from flotilla.events.base import contract_of
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.instance import Instance
from flotilla.replay.plan import RefusedError, plan
from flotilla.replay.wire import Filter, Opening
from flotilla.service import present

POLL_SECONDS: Final = 0.3

# Of those that run, how far the service is.
LIST: Final = """
SELECT id, service, projections, state, reason, events, added, updated, removed, requested_at
FROM analytics.replays WHERE $1::text IS NULL OR service = $1 ORDER BY id DESC LIMIT $2"""
READ: Final = "SELECT * FROM analytics.replays WHERE id = $1"
HEAD: Final = "SELECT coalesce(max(position), 0) FROM analytics.ledger"
POSITION: Final = "SELECT position FROM {service}_bus.replays WHERE id = $1"
CANCEL: Final = """
UPDATE {service}_bus.replays SET state = 'failing', reason = 'cancelled by an operator'
WHERE state = 'filling' RETURNING id"""


class _ServiceOrCommand(TyperGroup):
    """`replay crm` is `replay start crm`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """A name that is no command is a service."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["start", *args])


app = typer.Typer(
    cls=_ServiceOrCommand,
    help="Projections built anew from the archive: flotilla replay SERVICE, list, cancel.",
    no_args_is_help=True,
)

ServiceName = Annotated[str, typer.Argument(help="The service whose projections are meant.")]


@app.command()
def start(
    service: ServiceName,
    projection: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    org: Annotated[list[UUID] | None, typer.Option(help="Only this organization's rows.")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only what these events tell.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Only what is told of this entity.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Only what was told since; UTC.")] = None,
    all_events: Annotated[bool, typer.Option(help="Every event, not the newest of each entity.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended.")] = False,
    instance: InstanceName = "dev",
) -> None:
    """Build them anew beside the ones that stand, under live traffic, and put them in their place.

    With --type, --subject or --since nothing is removed.
    """
    wish = ReplayRequested(
        request_id=(id_ := new_id()),
        replay_id=id_,
        service=service,
        projections=tuple(projection or ()),
        organizations=tuple(org or ()),
        types=tuple(type_ or ()),
        subjects=tuple(subject or ()),
        since=since.replace(tzinfo=since.tzinfo or UTC) if since else None,
        latest=not all_events,
    )
    _refuse_what_is_refused(wish)
    with explained(instance):
        fleet = Instance.load(instance)
        asyncio.run(_publish(fleet, wish))
        console.print(f"replay {wish.replay_id} of {service} is asked for")
        row = asyncio.run(_ended(fleet, wish.replay_id)) if wait else None
    if row is None:
        return
    if row["state"] == "failed":
        raise failed(f"it failed, and nothing has changed: {row['reason']}")
    console.print(
        f"[green]finished[/]: {row['events']} events; {row['added']} rows were missing,"
        f" {row['updated']} wrong, {row['removed']} too many"
    )


@app.command("list")
def list_(
    service: Annotated[str | None, typer.Argument(help="One service; all if not given.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    instance: InstanceName = "dev",
) -> None:
    """Replays, the newest first."""
    with explained(instance):
        console.print(asyncio.run(_table(Instance.load(instance), service, limit)))


@app.command()
def cancel(service: ServiceName, instance: InstanceName = "dev") -> None:
    """End the replay of a service; its projections stand as they stood."""
    _known(service)
    with explained(instance):
        id_ = asyncio.run(_cancel(Instance.load(instance), service))
    if id_ is None:
        raise failed(f"no replay of {service} is running")
    console.print(f"replay {id_} is cancelled")


def _refuse_what_is_refused(wish: ReplayRequested) -> None:
    declared = _known(wish.service)
    opening = Opening(
        request_id=wish.request_id,
        organization_id=PLATFORM_ORG,
        service=wish.service,
        projections=list(wish.projections),
        filter=Filter(types=list(wish.types), subjects=list(wish.subjects), since=wish.since),
        cause=Cause.fresh(),
    )
    try:
        plan(declared, opening)
    except RefusedError as refused:
        raise failed(str(refused)) from None


def _known(service: str) -> Any:
    found = {each.name: each for each in present()}
    if service not in found:
        raise failed(f"there is no service {service}; the services here are {', '.join(found)}")
    return found[service]


async def _publish(instance: Instance, wish: ReplayRequested) -> None:
    """Return once the broker keeps it for analytics."""
    outgoing = encode(
        wish,
        org=PLATFORM_ORG,
        sequence=1,
        cause=Cause(new_id(), request_id=wish.request_id, actor="service:cli"),
        region=instance.file.region,
        service="analytics",
    )
    connection = await aio_pika.connect(instance.amqp_url, timeout=10)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        message = aio_pika.Message(outgoing.body, message_id=str(outgoing.id), delivery_mode=2)
        await exchange.publish(message, contract_of(ReplayRequested).type, mandatory=True, timeout=10)


async def _ended(instance: Instance, id_: UUID) -> Any:
    connection = await _connect(instance)
    try:
        with console.status("building anew"):
            while True:
                row = await connection.fetchrow(READ, id_)
                if row is not None and row["ended_at"] is not None:
                    return row
                await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()


async def _table(instance: Instance, service: str | None, limit: int) -> Table:
    table = Table(
        "service",
        "replay",
        "state",
        "asked",
        "missing",
        "wrong",
        "too many",
        "",
        box=None,
        header_style="dim",
    )
    connection = await _connect(instance)
    try:
        for row in await connection.fetch(LIST, service, limit):
            counts = (row[name] if row[name] is not None else "" for name in ("added", "updated", "removed"))
            note = row["reason"] or await _progress(connection, row)
            cells = (
                row["service"],
                row["id"],
                row["state"],
                f"{row['requested_at']:%m-%d %H:%M:%S}",
                *counts,
            )
            table.add_row(*(escape(str(cell)) for cell in (*cells, note)))
    finally:
        await connection.close()
    if not table.row_count:
        table.add_row("nothing was built anew")
    return table


async def _progress(connection: asyncpg.Connection, row: Any) -> str:
    if row["state"] != "running":
        return ", ".join(row["projections"])
    at = await connection.fetchval(POSITION.format(service=row["service"]), row["id"])
    return f"position {at or 0} of {await connection.fetchval(HEAD)}"


async def _cancel(instance: Instance, service: str) -> UUID | None:
    connection = await _connect(instance)
    try:
        found: UUID | None = await connection.fetchval(CANCEL.format(service=service))
        return found
    finally:
        await connection.close()


async def _connect(instance: Instance) -> asyncpg.Connection:
    """As the instance's administrator: an operator sees the replays of every organization."""
    return await asyncpg.connect(instance.admin_dsn(), timeout=10)
