"""archive: the events that were kept, and whether anybody has changed them."""

import subprocess
import sys
from typing import Annotated

import typer

from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import explained
from flotilla.instance import Instance

app = typer.Typer(help="The archive of all events.", no_args_is_help=True)


@app.callback()
def archive() -> None:
    """The archive of all events."""


@app.command()
def verify(
    noted: Annotated[
        str, typer.Option(help="An earlier head, as this command printed it: <position>:<hash>.")
    ] = "",
    since: Annotated[
        bool,
        typer.Option(
            "--since", help="Read only what was sealed after the noted head; what was inserted, anywhere."
        ),
    ] = False,
    instance: InstanceName = "dev",
) -> None:
    """Read everything again: what was changed, is missing, was inserted or stands in another order."""
    with explained(instance):
        environment = Instance.load(instance).environment("analytics")
    # The archive is of analytics, and so is the reading of it: a service's package is imported by nobody else.
    command = [sys.executable, "-m", "flotilla_analytics.verify"]
    command += [*(["--since"] if since else []), *([noted] if noted else [])]
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)  # noqa: S603
