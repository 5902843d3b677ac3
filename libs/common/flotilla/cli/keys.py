"""keys: the master keys, under which credentials, personal keys and files are sealed; how they are changed.

add      a new one, which opens only; restart the services, so that all know it
use      it seals from now on; restart the services
reseal   what is under older ones is sealed anew, while everything runs
drop     an older one, once nothing is under it
"""

import asyncio
import base64
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import asyncpg
import msgspec
import typer
from rich.table import Table

from flotilla import secrets
from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained, failed
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.secrets import MasterKey
from flotilla.security.sealed_columns import SealedColumn, counted, reseal
from flotilla.security.sealing import LONGEST_ID, Keyring
from flotilla.service import present
from flotilla.store.files import Files

SHORT_LIVED: Final = timedelta(days=1)
"""Links, waiting drafts and stored answers are sealed too, live no longer than this, and are not sealed anew."""

app = typer.Typer(help="The master keys, and how they are changed.", no_args_is_help=True)
KeyId = Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")]


@app.command("list")
def list_(instance: InstanceName = "dev") -> None:
    """Which there are, and how much is sealed under each."""
    with explained(instance):
        loaded = Instance.load(instance)
        under = asyncio.run(_counted(loaded))
    table = Table("", "", "added", "retired", "sealed under it", box=None, pad_edge=False, header_style="dim")
    for number, key in enumerate(loaded.secrets.master_keys):
        role = "seals" if number == 0 else "opens"
        table.add_row(key.id, role, key.added_at, key.retired_at, f"{under.pop(key.id, 0):,}")
    for key_id, number in under.items():
        table.add_row(key_id, "[red]missing[/]", "", "", f"{number:,}")
    console.print(table)


@app.command()
def add(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Make a new key, which only opens until it is put to use."""
    if not key_id.isalnum() or not key_id.isascii() or len(key_id) > LONGEST_ID:
        raise failed(f"a key's id is of letters and digits, at most {LONGEST_ID}")
    made = MasterKey(key_id, base64.b64encode(os.urandom(32)).decode(), _now())

    def change(keys: list[MasterKey]) -> list[MasterKey]:
        if any(key.id == key_id for key in keys):
            raise failed(f"there is a key {key_id} already")
        return [keys[0], made, *keys[1:]]

    with explained(instance):
        secrets.change_master_keys(Instance.load(instance).folder, change)
    console.print(f"{key_id} opens. Restart the services, then: flotilla keys use {key_id}")


@app.command()
def use(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Seal with this key from now on."""
    with explained(instance):
        loaded = Instance.load(instance)
        chosen = _key(loaded, key_id)
        if late := _started_before(Fleet(loaded), chosen.added_at):
            raise failed(f"these could not open what it seals, restart them first: {', '.join(late)}")

        def change(keys: list[MasterKey]) -> list[MasterKey]:
            fresh = msgspec.structs.replace(chosen, retired_at="")
            older = [
                key if key.retired_at else msgspec.structs.replace(key, retired_at=_now())
                for key in keys
                if key.id != key_id
            ]
            return [fresh, *older]

        secrets.change_master_keys(loaded.folder, change)
    console.print(f"{key_id} seals. Restart the services, then: flotilla keys reseal")


@app.command("reseal")
def reseal_(instance: InstanceName = "dev") -> None:
    """Seal everything anew that is under older keys. Whatever it dies of, it may be begun again."""
    with explained(instance):
        loaded = Instance.load(instance)
        if late := _started_before(Fleet(loaded), _sealing_since(loaded)):
            raise failed(f"these still seal with an older key, restart them first: {', '.join(late)}")
        shut = asyncio.run(_reseal(loaded))
        under = asyncio.run(_counted(loaded))
    if shut:
        raise failed(f"{shut} values cannot be opened: see above, and the keys that are missing")
    for key in loaded.secrets.master_keys[1:]:
        if not under[key.id]:
            console.print(
                f"nothing is under {key.id} any more: a day after it was retired, flotilla keys drop {key.id}"
            )


@app.command()
def drop(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Forget a key under which nothing is."""
    with explained(instance):
        loaded = Instance.load(instance)
        chosen = _key(loaded, key_id)
        if chosen == loaded.secrets.master_keys[0]:
            raise failed(f"{key_id} seals: put another to use first")
        if (
            not chosen.retired_at
            or datetime.now(UTC) - datetime.fromisoformat(chosen.retired_at) < SHORT_LIVED
        ):
            raise failed(f"{key_id} was retired less than a day ago: links and answers are still under it")
        if number := asyncio.run(_counted(loaded))[key_id]:
            raise failed(f"{number:,} values are under {key_id}: flotilla keys reseal")
        secrets.change_master_keys(loaded.folder, lambda keys: [key for key in keys if key.id != key_id])
    console.print(f"{key_id} is gone. The services forget it when they are started again.")


def _key(instance: Instance, key_id: str) -> MasterKey:
    for key in instance.secrets.master_keys:
        if key.id == key_id:
            return key
    raise failed(f"there is no key {key_id}: flotilla keys list")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _sealing_since(instance: Instance) -> str:
    return max((key.retired_at for key in instance.secrets.master_keys), default="")


def _started_before(fleet: Fleet, moment: str) -> list[str]:
    """Services that run since before then, and were told of other keys."""
    if not moment:
        return []
    since = datetime.fromisoformat(moment)
    return [name for name in fleet.instance.services if (at := fleet.processes.since(name)) and at <= since]


async def _counted(instance: Instance) -> Counter[str]:
    """How much there is under each key, by its id: values of columns, and files."""
    under: Counter[str] = Counter()
    async with _connection(instance) as connection:
        for service, column in await _columns(connection):
            under.update(await counted(connection, service, column))
    files = _files(instance)
    async for path in files.all():
        under.update(await files.keys_of(path))
    return under


async def _reseal(instance: Instance) -> int:
    """How many could not be opened."""
    keyring, shut = Keyring(instance.secrets.keyring), 0
    async with _connection(instance) as connection:
        for service, column in await _columns(connection):
            sealed = 0
            async for batch in reseal(connection, service, column, keyring):
                sealed, shut = sealed + batch.sealed, shut + batch.shut
                console.print(f"  {service}.{column.name}: {sealed:,} sealed anew")
    files, sealed = _files(instance), 0
    async for path in files.all():
        sealed += await files.reseal(path)
    console.print(f"  files: {sealed:,} sealed anew")
    return shut


async def _columns(connection: asyncpg.Connection) -> list[tuple[str, SealedColumn]]:
    """Of the services that were ever migrated here: others have nothing."""
    schemas = {row["nspname"] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
    return [
        (service.name, column)
        for service in present()
        if service.name in schemas
        for column in service.sealed
    ]


def _files(instance: Instance) -> Files:
    return Files.open(instance.files_url, Keyring(instance.secrets.keyring))


@asynccontextmanager
async def _connection(instance: Instance) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(instance.admin_dsn(), timeout=10)
    try:
        yield connection
    finally:
        await connection.close()
