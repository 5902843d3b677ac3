"""keys: the master keys, under which credentials, personal keys and files are sealed; how they are changed.

add      a new one, which opens only; restart the services, so that all know it
use      it seals from now on; restart the services
reseal   what is under older ones is sealed anew, while everything runs
drop     an older one, once nothing is under it

`keys derivation`, `keys principal` and `keys signing` change the other kinds.
"""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Final

import asyncpg
import typer

from flotilla.cli import derivation_keys, principal_keys, signing_keys
from flotilla.cli.fleet import InstanceName
from flotilla.cli.rotating import KeyId, Ring, connection, shown, started_before
from flotilla.cli.screen import console, explained, failed
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.security.sealed_columns import SealedColumn, counted, reseal
from flotilla.security.sealing import Keyring
from flotilla.service import present
from flotilla.store.files import Files

SHORT_LIVED: Final = timedelta(days=1)
"""Links, waiting drafts and stored answers are sealed too, live no longer than this, and are not sealed anew."""

app = typer.Typer(help="The keys of an instance, and how they are changed.", no_args_is_help=True)
app.add_typer(derivation_keys.app, name="derivation")
app.add_typer(principal_keys.app, name="principal")
app.add_typer(signing_keys.app, name="signing")


@app.command("list")
def list_(instance: InstanceName = "dev") -> None:
    """Which there are, and how much is sealed under each."""
    with explained(instance):
        loaded = Instance.load(instance)
        under = asyncio.run(_counted(loaded))
    console.print(shown(loaded.secrets.master_keys, "seals", "opens", "sealed under it", under))


@app.command()
def add(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Make a new key, which only opens until it is put to use."""
    with explained(instance):
        Ring(instance, "master_keys").add(key_id)
    console.print(f"{key_id} opens. Restart the services, then: flotilla keys use {key_id}")


@app.command()
def use(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Seal with this key from now on."""
    with explained(instance):
        Ring(instance, "master_keys").use(key_id)
    console.print(f"{key_id} seals. Restart the services, then: flotilla keys reseal")


@app.command("reseal")
def reseal_(instance: InstanceName = "dev") -> None:
    """Seal everything anew that is under older keys. Whatever it dies of, it may be begun again."""
    with explained(instance):
        loaded = Instance.load(instance)
        if late := started_before(Fleet(loaded), _sealing_since(loaded)):
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
        ring = Ring(instance, "master_keys")
        if ring.age(key_id) < SHORT_LIVED:
            raise failed(f"{key_id} was retired less than a day ago: links and answers are still under it")
        if number := asyncio.run(_counted(ring.instance))[key_id]:
            raise failed(f"{number:,} values are under {key_id}: flotilla keys reseal")
        if twin := [key.id for key in ring.secrets.derivation_keys if key.key == ring.key(key_id).key]:
            raise failed(
                f"{key_id} is {twin[0]} too, of which hashes come, from before these were keys of their own: "
                f"it would stay where it is. First change that one: flotilla keys derivation --help"
            )
        ring.drop(key_id)
    console.print(f"{key_id} is gone. The services forget it when they are started again.")


def _sealing_since(instance: Instance) -> str:
    return max((key.retired_at for key in instance.secrets.master_keys), default="")


async def _counted(instance: Instance) -> Counter[str]:
    """How much there is under each key, by its id: values of columns, and files."""
    under: Counter[str] = Counter()
    async with connection(instance) as database:
        for service, column in await _columns(database):
            under.update(await counted(database, service, column))
    files = _files(instance)
    async for path in files.all():
        under.update(await files.keys_of(path))
    return under


async def _reseal(instance: Instance) -> int:
    """How many could not be opened."""
    keyring, shut = Keyring(instance.secrets.keyring), 0
    async with connection(instance) as database:
        for service, column in await _columns(database):
            sealed = 0
            async for batch in reseal(database, service, column, keyring):
                sealed, shut = sealed + batch.sealed, shut + batch.shut
                console.print(f"  {service}.{column.name}: {sealed:,} sealed anew")
    files, sealed = _files(instance), 0
    async for path in files.all():
        sealed += await files.reseal(path)
    console.print(f"  files: {sealed:,} sealed anew")
    return shut


async def _columns(database: asyncpg.Connection) -> list[tuple[str, SealedColumn]]:
    """Of the services that were ever migrated here: others have nothing."""
    schemas = {row["nspname"] for row in await database.fetch("SELECT nspname FROM pg_namespace")}
    return [
        (service.name, column)
        for service in present()
        if service.name in schemas
        for column in service.sealed
    ]


def _files(instance: Instance) -> Files:
    return Files.open(instance.files_url, Keyring(instance.secrets.keyring))
