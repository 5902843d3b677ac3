"""The `flotilla` command: the fleet on this machine, and what its operators need."""

import typer

from flotilla.cli import (
    archive,
    audit,
    blocks,
    contracts,
    flags,
    fleet,
    keys,
    logs,
    orgs,
    parked,
    people,
    replay,
    sagas,
    schema,
    seed,
    terms,
)

app = typer.Typer(
    help="Flotilla: the fleet on this machine, and what its operators need.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(fleet.up)
app.command()(fleet.down)
app.command()(fleet.status)
app.command()(fleet.certify)
app.command()(logs.logs)
app.command()(schema.migrate)
app.command()(seed.seed)
app.add_typer(archive.app, name="archive")
app.add_typer(blocks.app, name="blocks")
app.add_typer(audit.app, name="audit")
app.add_typer(flags.app, name="flags")
app.add_typer(keys.app, name="keys")
app.add_typer(parked.app, name="parked")
app.add_typer(people.app, name="people")
app.add_typer(replay.app, name="replay")
app.add_typer(sagas.app, name="sagas")
orgs.app.command("agree")(terms.agree_with)
app.add_typer(orgs.app, name="org")
app.add_typer(contracts.app, name="contracts")
