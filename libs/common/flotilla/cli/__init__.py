"""The `flotilla` command: the fleet on this machine, and what its operators need."""

import typer

from flotilla.cli import fleet

app = typer.Typer(
    help="Flotilla: the fleet on this machine, and what its operators need.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
fleet.register(app)
