"""What the commands print: outcomes as they come, tables, and errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel

from flotilla.cells import WrongCellError
from flotilla.cli.log_lines import LogLine
from flotilla.cli.log_view import shown
from flotilla.instance import UnknownInstanceError
from flotilla.native.node import PortTakenError
from flotilla.processes import NotReadyError, ProcessDiedError
from flotilla.secrets import SecretsLostError
from flotilla.seed import SeedError
from flotilla.servers import InstallFailedError
from flotilla.store.migrate import MigrationError

SELF_EXPLAINING: Final = (
    WrongCellError,
    InstallFailedError,
    MigrationError,
    PortTakenError,
    SecretsLostError,
    SeedError,
    UnknownInstanceError,
)
NOT_MIGRATED: Final = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidPasswordError,
    asyncpg.UndefinedTableError,
)
"""A database, a role or a table that `migrate` makes is not there; a role that is not is a wrong password."""

console = Console(highlight=False)
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
    except SELF_EXPLAINING as failure:
        raise failed(str(failure)) from None
    except ConnectionRefusedError as failure:
        raise failed(f"{failure}. Are the servers up? flotilla up -i {instance}") from None
    except NOT_MIGRATED as failure:
        raise failed(f"{failure}. Is it migrated? flotilla migrate -i {instance}") from None
    except (ProcessDiedError, NotReadyError) as failure:
        _last_words(failure)
        raise failed(
            f"See flotilla logs {failure.name} -i {instance}, flotilla status -i {instance}"
        ) from None


def failed(sentence: str) -> typer.Exit:
    """Prints why, and gives what is to be raised."""
    errors.print(f"[red]{escape(sentence)}[/]")
    return typer.Exit(1)


def megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB" if count else ""


def _last_words(failure: ProcessDiedError | NotReadyError) -> None:
    errors.print(f"[red]{escape(str(failure))}[/]")
    lines = [shown(LogLine.parse(failure.name, line)) for line in failure.tail.splitlines()]
    if lines:
        errors.print(Panel(Group(*lines), title=f"the end of {failure.name}'s log", title_align="left"))
