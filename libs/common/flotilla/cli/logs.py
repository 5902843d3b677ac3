"""logs: what the services and servers wrote, together, filtered, followed; searched in the store of logs."""

import re
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from flotilla.cli.fleet import InstanceName
from flotilla.cli.log_lines import CallerOf, LogFile, LogLine, Wanted, latest
from flotilla.cli.log_view import shown
from flotilla.cli.screen import console, explained, failed
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.security import addresses
from flotilla.security.sealing import Keyring

_FOLLOW_SECONDS: Final = 0.25
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

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
ServiceOption = Annotated[str | None, typer.Option("--service", help="The same as the argument.")]
Since = Annotated[str | None, typer.Option(help="Only of the last 90s, 10m, 3h or 2d.")]
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
    service: ServiceOption = None,
    since: Since = None,
    instance: InstanceName = "dev",
) -> None:
    """Read the logs: of one service or server, or of all services merged by time.

    With --since they are searched in Elasticsearch, where the instance has one: there they all are, for two weeks.
    """
    name = name or service
    with explained(instance):
        loaded = Instance.load(instance)
        files = _files(Fleet(loaded), name)
    caller = None if address is None else _caller(loaded, address)
    began = None if since is None else datetime.now(UTC) - _age(since)
    wanted = Wanted(org, correlation, level, actor, route, status, request, caller, began)
    if began is not None and not follow and loaded.elasticsearch_url and name in (None, *loaded.services):
        for line in _stored(loaded, name, wanted, lines):
            console.print(shown(line), soft_wrap=True)
        return
    for line in latest(files, wanted, lines):
        console.print(shown(line), soft_wrap=True)
    with suppress(KeyboardInterrupt):
        while follow:
            for line in latest(files, wanted, 10_000):
                console.print(shown(line), soft_wrap=True)
            time.sleep(_FOLLOW_SECONDS)


def _age(text: str) -> timedelta:
    """As `90s`, `10m`, `3h` or `2d`."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise failed(f"{text} is no time: 90s, 10m, 3h, 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _stored(instance: Instance, service: str | None, wanted: Wanted, most: int) -> list[LogLine]:
    # The client takes 20 MB: only where it is used.
    from flotilla.cli.stored_logs import stored

    return stored(instance, service, wanted, most)


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
