"""What the commands of all kinds of keys have in common: made, put to use, forgotten, in this order and no other."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import asyncpg
import msgspec
import typer
from rich.table import Table

from flotilla import secrets as secret_store
from flotilla.cli.screen import failed
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.secrets import Key, Kind, Secrets, new_key
from flotilla.security.sealing import LONGEST_ID

KeyId = Annotated[str, typer.Argument(help="The key's id, as `list` shows it.")]


class Ring:
    """An instance's keys of one kind. The first is in use, the others are known."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.instance = Instance.load(name)
        self._kind: Kind = kind

    @property
    def secrets(self) -> Secrets:
        """As they were when the command began."""
        return self.instance.secrets

    @property
    def keys(self) -> list[Key]:
        """The one in use in front."""
        keys: list[Key] = getattr(self.secrets, self._kind)
        return keys

    def key(self, key_id: str) -> Key:
        """By its id; the command fails where there is none."""
        for key in self.keys:
            if key.id == key_id:
                return key
        raise failed(f"there is no key {key_id}; there are: {', '.join(key.id for key in self.keys)}")

    def add(self, key_id: str) -> None:
        """A new one, which is known and not in use."""
        if not key_id.isalnum() or not key_id.isascii() or len(key_id) > LONGEST_ID:
            raise failed(f"a key's id is of letters and digits, at most {LONGEST_ID}")
        made = new_key(key_id, _now())

        def change(keys: list[Key]) -> list[Key]:
            if any(key.id == key_id for key in keys):
                raise failed(f"there is a key {key_id} already")
            return [keys[0], made, *keys[1:]]

        self._change(change)

    def use(self, key_id: str) -> None:
        """In use from now on; refused while a service runs that does not know it."""
        chosen = self.key(key_id)
        if late := started_before(Fleet(self.instance), chosen.added_at):
            raise failed(f"these do not know it, restart them first: {', '.join(late)}")

        def change(keys: list[Key]) -> list[Key]:
            fresh = msgspec.structs.replace(chosen, retired_at="")
            older = [
                key if key.retired_at else msgspec.structs.replace(key, retired_at=_now())
                for key in keys
                if key.id != key_id
            ]
            return [fresh, *older]

        self._change(change)

    def age(self, key_id: str) -> timedelta:
        """For how long another has been in its place; the command fails where it is in use itself."""
        chosen = self.key(key_id)
        if chosen == self.keys[0] or not chosen.retired_at:
            raise failed(f"{key_id} is in use, or never was: put another to use first")
        return datetime.now(UTC) - datetime.fromisoformat(chosen.retired_at)

    def still_used_by(self) -> list[str]:
        """Services that run since before the last change of which one is in use."""
        return started_before(Fleet(self.instance), max((key.retired_at for key in self.keys), default=""))

    def drop(self, key_id: str) -> None:
        """Nobody who is started from now on knows it."""
        self._change(lambda keys: [key for key in keys if key.id != key_id])

    def _change(self, change: Callable[[list[Key]], list[Key]]) -> None:
        secret_store.change_keys(self.instance.folder, self._kind, change)


def shown(
    keys: Sequence[Key], first: str, others: str, counted: str = "", under: Mapping[str, int] | None = None
) -> Table:
    """A table of them; with how much is under each, where that can be said."""
    table = Table(
        "",
        "",
        "added",
        "retired",
        *([counted] if counted else []),
        box=None,
        pad_edge=False,
        header_style="dim",
    )
    left = dict(under or {})
    for number, key in enumerate(keys):
        row = (key.id, others if number else first, key.added_at, key.retired_at)
        table.add_row(*row, *([f"{left.pop(key.id, 0):,}"] if counted else []))
    for key_id, number in left.items():
        table.add_row(key_id, "[red]missing[/]", "", "", f"{number:,}")
    return table


def started_before(fleet: Fleet, moment: str) -> list[str]:
    """Services that run since before then, and were told of other keys."""
    if not moment:
        return []
    since = datetime.fromisoformat(moment)
    return [name for name in fleet.instance.services if (at := fleet.processes.since(name)) and at <= since]


@asynccontextmanager
async def connection(instance: Instance) -> AsyncIterator[asyncpg.Connection]:
    """To its database, as the administrator."""
    opened = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    try:
        yield opened
    finally:
        await opened.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
