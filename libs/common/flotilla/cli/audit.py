"""audit: whether a download of the audit log is as it was exported."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Downloads of the audit log.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Downloads of the audit log."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="From GET /v1/audit/export.")],
    key: Annotated[str, typer.Option(help="The public key that must have signed it.")] = "",
    noted: Annotated[
        str, typer.Option(help="A head that must be in it: <position>:<hash>, of `flotilla archive verify`.")
    ] = "",
) -> None:
    """Read it without any server: what was changed, is missing, was inserted or stands in another order."""
    options = [*(["--key", key] if key else []), *(["--noted", noted] if noted else [])]
    # The chain is of analytics, and so is the reading of it: a service's package is imported by nobody else.
    command = [sys.executable, "-m", "flotilla_analytics.verify_export", str(file), *options]
    raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own program
