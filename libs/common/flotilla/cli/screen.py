"""What the commands print: outcomes as they come, tables, and errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from flotilla.instance import UnknownInstanceError
from flotilla.native.node import PortTakenError
from flotilla.processes import NotReadyError, ProcessDiedError
from flotilla.secrets import SecretsLostError
from flotilla.servers import InstallFailedError
from flotilla.store.migrate import MigrationError

console = Console(highlight=False)
NOT_MIGRATED = (asyncpg.InvalidCatalogNameError, asyncpg.InvalidPasswordError, asyncpg.UndefinedTableError)
"""A database, a role or a table that `migrate` makes is not there; a role that is not is a wrong password."""

errors = Console(stderr=True, highlight=False)


def report(name: str, outcome: str, seconds: float) -> None:
    """One line for something that is done."""
    took = f" [dim]{seconds:.1f} s[/]" if seconds >= 0.1 else ""
    console.print(f"  [green]•[/] {name:<14} {escape(outcome)}{took}")


@contextmanager
def explained(instance: str) -> Iterator[None]:
    """Turns the failures we know into a sentence, the end of the log and a next step."""
    try:
        yield
    except (
        InstallFailedError,
        MigrationError,
        PortTakenError,
        SecretsLostError,
        UnknownInstanceError,
    ) as failure:
        raise failed(str(failure)) from None
    except ConnectionRefusedError as failure:
        raise failed(f"{failure}. Are the servers up? flotilla up -i {instance}") from None
    except NOT_MIGRATED as failure:
        raise failed(f"{failure}. Is it migrated? flotilla migrate -i {instance}") from None
    except (ProcessDiedError, NotReadyError) as failure:
        errors.print(f"[red]{escape(str(failure))}[/]")
        if failure.tail:
            errors.print(
                Panel(escape(failure.tail), title=f"the end of {failure.name}'s log", title_align="left")
            )
        errors.print(
            f"What else happened: flotilla status -i {instance}; flotilla logs {failure.name} -i {instance}"
        )
        raise typer.Exit(1) from None


def failed(sentence: str) -> typer.Exit:
    """Prints why, and gives what is to be raised."""
    errors.print(f"[red]{escape(sentence)}[/]")
    return typer.Exit(1)


def megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB" if count else ""
