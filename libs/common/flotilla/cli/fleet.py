"""up, down, status: the servers and services of an instance."""

import asyncio
import time
from typing import Annotated

import typer
from rich.table import Table

from flotilla.cli.screen import console, explained, megabytes, report
from flotilla.cli.seed import seeded, sign_in
from flotilla.fleet import Fleet, answers
from flotilla.instance import HOST, Instance
from flotilla.processes import memory
from flotilla.seed import Demo

InstanceName = Annotated[str, typer.Option("--instance", "-i", help="Which instance of deploy/instances.")]
OnlyServers = Annotated[bool, typer.Option("--only-servers", help="Leave the services alone.")]


def up(instance: InstanceName = "dev", only_servers: OnlyServers = False) -> None:
    """Install what is missing and start everything; what runs already stays as it is."""
    began = time.monotonic()
    with explained(instance):
        fleet = Fleet(Instance.load(instance), report)
        with fleet.exclusive():
            demo = asyncio.run(_up(fleet, only_servers))
    console.print(f"[green]up[/] in {time.monotonic() - began:.1f} s")
    if not only_servers:
        chosen = "" if instance == "dev" else f" -i {instance}"
        console.print(f"  the API        {fleet.instance.public_url}/docs")
        console.print(
            f"  what happens   .venv/bin/flotilla logs -f{chosen}, .venv/bin/flotilla status{chosen}"
        )
    if demo is not None:
        console.print(sign_in(demo))


def down(instance: InstanceName = "dev") -> None:
    """Stop the services, then the servers; data stays."""
    with explained(instance):
        fleet = Fleet(Instance.load(instance), report)
        with fleet.exclusive():
            asyncio.run(_down(fleet))
    console.print("[green]down[/]")


def status(instance: InstanceName = "dev") -> None:
    """What runs, where, and how much memory it takes."""
    with explained(instance):
        console.print(asyncio.run(_status(Fleet(Instance.load(instance)))))


async def _up(fleet: Fleet, only_servers: bool) -> Demo | None:
    with console.status("starting the servers; the first time installs them"):
        await fleet.start_servers()
    if only_servers:
        return None
    with console.status("migrating"):
        began = time.monotonic()
        applied = await fleet.migrate()
        report("schemas", f"{applied} migrations applied", time.monotonic() - began)
    with console.status("starting the services"):
        await asyncio.gather(fleet.start_simulators(), fleet.start_services())
    if not fleet.instance.file.simulators:
        return None
    with console.status("filling the demo organization"):
        return await seeded(fleet.instance)


async def _down(fleet: Fleet) -> None:
    with console.status("stopping"):
        await asyncio.gather(fleet.stop_services(), fleet.stop_simulators())
        await fleet.stop_servers()


async def _status(fleet: Fleet) -> Table:
    table = Table("", "state", "address", "pid", "memory", "", box=None, pad_edge=False, header_style="dim")
    total = 0
    for server in fleet.servers():
        found = server.status()
        total += found.memory
        pid = str(found.pid or "")
        table.add_row(found.name, found.state, found.address, pid, megabytes(found.memory), found.note)
    for service in fleet.instance.services:
        record = fleet.processes.record(service)
        port = fleet.instance.service_ports[service]
        size = memory(record.pid) if record else 0
        total += size
        state = "stopped" if record is None else "ready" if await answers(port, "/readyz") else "not ready"
        table.add_row(service, state, f"{HOST}:{port}", str(record.pid) if record else "", megabytes(size))
    table.add_row("", "", "", "", megabytes(total))
    return table
