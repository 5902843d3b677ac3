"""up, down, status: the servers and services of an instance."""

import asyncio
import time
from typing import Annotated

import typer
from rich.table import Table

from flotilla.cli.screen import console, explained, failed, megabytes, report
from flotilla.cli.seed import seeded, sign_in
from flotilla.fleet import LOG_SHIPPER, Fleet, answers
from flotilla.instance import HOST, TLS_MARK, Instance
from flotilla.processes import memory
from flotilla.seed import Demo

InstanceName = Annotated[str, typer.Option("--instance", "-i", help="Which instance of deploy/instances.")]
TlsSwitch = Annotated[
    bool | None,
    typer.Option(
        "--tls/--no-tls", help="Encrypt every connection from now on, or none. Kept until said otherwise."
    ),
]
OnlyServers = Annotated[bool, typer.Option("--only-servers", help="Leave the services alone.")]


def up(instance: InstanceName = "dev", only_servers: OnlyServers = False, tls: TlsSwitch = None) -> None:
    """Install what is missing and start everything; what runs already stays as it is."""
    began = time.monotonic()
    with explained(instance):
        fleet = Fleet(_switched(Instance.load(instance), tls), report)
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


def certify(
    instance: InstanceName = "dev",
    anew: Annotated[bool, typer.Option("--anew", help="All of them, not only those about to end.")] = False,
) -> None:
    """Renew the certificates of a fleet that runs with TLS, without a break."""
    with explained(instance):
        fleet = Fleet(Instance.load(instance), report)
        if not fleet.instance.tls:
            raise failed(f"{instance} runs without TLS: flotilla up --tls")
        with fleet.exclusive():
            renewed = asyncio.run(fleet.renew(anew=anew))
    console.print(f"renewed: {', '.join(renewed) or 'none: all are good for more than ten days'}")


def _switched(instance: Instance, tls: bool | None) -> Instance:
    """TLS on or off from now on; only while nothing of the instance runs, for a fleet is one or the other."""
    if tls is None or tls == instance.tls:
        return instance
    if any(server.status().state == "running" for server in Fleet(instance).servers()):
        raise failed(f"{instance.name} runs {'with' if instance.tls else 'without'} TLS: flotilla down first")
    mark = instance.folder / TLS_MARK
    if tls:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    else:
        mark.unlink()
    return Instance.load(instance.name, instance.root)


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
    if fleet.instance.tls:
        await fleet.renew()
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
        fleet.start_log_shipper()
    if not fleet.instance.file.simulators:
        return None
    with console.status("filling the demo organization"):
        return await seeded(fleet.instance)


async def _down(fleet: Fleet) -> None:
    with console.status("stopping"):
        await asyncio.gather(fleet.stop_services(), fleet.stop_simulators())
        await fleet.stop_log_shipper()
        await fleet.stop_servers()


async def _status(fleet: Fleet) -> Table:
    table = Table("", "state", "address", "pid", "memory", "", box=None, pad_edge=False, header_style="dim")
    total, tls = 0, fleet.tls()
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
        state = (
            "stopped" if record is None else "ready" if await answers(port, "/readyz", tls) else "not ready"
        )
        table.add_row(service, state, f"{HOST}:{port}", str(record.pid) if record else "", megabytes(size))
    if (record := fleet.processes.record(LOG_SHIPPER)) is not None:
        total += (size := memory(record.pid))
        table.add_row(LOG_SHIPPER, "running", "", str(record.pid), megabytes(size))
    table.add_row("", "", "", "", megabytes(total))
    return table
