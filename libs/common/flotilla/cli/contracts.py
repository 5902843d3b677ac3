"""contracts: the files under contracts/, written from the code, compared with it, released."""

import typer
from rich.markup import escape

from flotilla.cli.screen import console, failed
from flotilla.events import contracts

app = typer.Typer(help="The contracts: JSON Schemas, AsyncAPI, OpenAPI.", no_args_is_help=True)


@app.command()
def write() -> None:
    """Bring contracts/ up to date with the code."""
    _write(release=False)


@app.command()
def release() -> None:
    """Promise every contract: from then on it may only grow."""
    _write(release=True)


@app.command()
def check() -> None:
    """Say what is stale or broken; write nothing."""
    found = contracts.check()
    if found:
        raise failed("\n".join(found))
    console.print("contracts/ is what the code says")


def _write(*, release: bool) -> None:
    try:
        changed = contracts.write(release=release)
    except contracts.BrokenContractError as broken:
        raise failed(str(broken)) from None
    for name in changed:
        console.print(f"contracts/{escape(name)}")
    if not changed:
        console.print("nothing has changed")
