"""logs: what the services and servers wrote, together, filtered, followed."""

import time
from contextlib import suppress
from typing import Annotated, Final

import typer

from flotilla.cli.fleet import InstanceName
from flotilla.cli.log_lines import CallerOf, LogFile, Wanted, latest
from flotilla.cli.log_view import shown
from flotilla.cli.screen import console, explained, failed
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.security import addresses
from flotilla.security.sealing import Keyring

_FOLLOW_SECONDS: Final = 0.25

Name = Annotated[str | None, typer.Argument(help="One service or server; all services if not given.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on printing what comes.")]
Count = Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the latest lines.")]
Org = Annotated[str | None, typer.Option(help="Only lines of this organization.")]
Correlation = Annotated[str | None, typer.Option(help="Only lines of this correlation id: one flow.")]
Level = Annotated[str | None, typer.Option(help="Only lines of this level.")]
Actor = Annotated[str | None, typer.Option(help="Only requests of this actor: user:<id>, api_key:<id>.")]
Route = Annotated[str | None, typer.Option(help="Only requests of this route, as the API document has it.")]
Status = Annotated[str | None, typer.Option(help="Only requests that ended so: 404, or 4xx.")]
RequestId = Annotated[str | None, typer.Option("--request", help="Only the request of this id.")]
Address = Annotated[str | None, typer.Option(help="Only requests from this address, which no log names.")]


def logs(
    name: Name = None,
    follow: Follow = False,
    lines: Count = 50,
    org: Org = None,
    correlation: Correlation = None,
    level: Level = None,
    actor: Actor = None,
    route: Route = None,
    status: Status = None,
    request: RequestId = None,
    address: Address = None,
    instance: InstanceName = "dev",
) -> None:
    """Read the logs: of one service or server, or of all services merged by time."""
    with explained(instance):
        loaded = Instance.load(instance)
        files = _files(Fleet(loaded), name)
    caller = None if address is None else _caller(loaded, address)
    wanted = Wanted(org, correlation, level, actor, route, status, request, caller)
    for line in latest(files, wanted, lines):
        console.print(shown(line), soft_wrap=True)
    with suppress(KeyboardInterrupt):
        while follow:
            for line in latest(files, wanted, 10_000):
                console.print(shown(line), soft_wrap=True)
            time.sleep(_FOLLOW_SECONDS)


def _caller(instance: Instance, address: str) -> CallerOf:
    parsed = addresses.parse(address)
    if parsed is None:
        raise failed(f"{address} is no address")
    secrets = instance.secrets
    return CallerOf(Keyring(secrets.keyring, secrets.derivation_keyring), addresses.bucket(parsed))


def _files(fleet: Fleet, name: str | None) -> list[LogFile]:
    services, servers = fleet.instance.services, [server.name for server in fleet.servers()]
    if name is not None and name not in (*services, *servers):
        raise failed(f"there is no {name}; services: {', '.join(services)}; servers: {', '.join(servers)}")
    return [LogFile(each, fleet.log(each)) for each in ([name] if name else services)]
