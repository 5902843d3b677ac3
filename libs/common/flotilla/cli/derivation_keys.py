"""keys derivation: keys that keyed hashes and signed links come of.

add      a new one: what was made with it is known; restart the services
use      what is new comes of it; restart the services. Hashes of e-mail addresses are then made anew within minutes,
         those of accounts elsewhere when somebody signs in with theirs, cookies when they are refreshed
drop     an older one: what still comes of it is good no longer
"""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Annotated, Final

import typer

from flotilla.cli.fleet import InstanceName
from flotilla.cli.rotating import KeyId, Ring, connection, shown
from flotilla.cli.screen import console, explained, failed
from flotilla.instance import Instance
from flotilla.security.keyed_hashes import HashedColumn, counted
from flotilla.service import present

KEPT: Final = timedelta(days=60)
"""A link by which somebody wants no more mail is good for so long at least (CAN-SPAM asks for thirty days)."""

app = typer.Typer(help="What keyed hashes and signed links come of.", no_args_is_help=True)
Leaked = Annotated[
    bool, typer.Option("--leaked", help="Now: whoever has it can make links, and cookies of sessions.")
]


@app.command("list")
def list_(instance: InstanceName = "dev") -> None:
    """Which there are, and how much that is looked up comes of each."""
    with explained(instance):
        loaded = Instance.load(instance)
        under = sum((each for _, each in asyncio.run(_counted(loaded))), Counter())
    console.print(shown(loaded.secrets.derivation_keys, "for what is new", "known", "hashes", under))


@app.command()
def add(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Make a new key: what comes of it is known from the services' next start on."""
    with explained(instance):
        Ring(instance, "derivation_keys").add(key_id)
    console.print(f"{key_id} is known. Restart the services, then: flotilla keys derivation use {key_id}")


@app.command()
def use(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Make what is new with this key."""
    with explained(instance):
        Ring(instance, "derivation_keys").use(key_id)
    console.print(f"What is new comes of {key_id}. Restart the services; drop the older one when it may be.")


@app.command()
def drop(key_id: KeyId, leaked: Leaked = False, instance: InstanceName = "dev") -> None:
    """Forget a key; what comes of it is good no longer."""
    with explained(instance):
        ring = Ring(instance, "derivation_keys")
        if ring.age(key_id) < KEPT and not leaked:
            raise failed(
                f"{key_id} was retired less than {KEPT.days} days ago, and links in letters come of it. "
                f"If it is known to somebody: --leaked"
            )
        if late := ring.still_used_by():
            raise failed(f"these still make hashes with an older key, restart them first: {', '.join(late)}")
        for column, under in asyncio.run(_counted(ring.instance)):
            if (number := under[key_id]) and column.needed:
                raise failed(f"{number:,} still come of {key_id}: {column.lost}")
            if number:
                console.print(f"{number:,} {column.lost}")
        ring.drop(key_id)
    console.print(f"{key_id} is gone. Restart the services: they forget it then.")


async def _counted(instance: Instance) -> list[tuple[HashedColumn, Counter[str]]]:
    """Of the services that were ever migrated here."""
    async with connection(instance) as database:
        schemas = {row["nspname"] for row in await database.fetch("SELECT nspname FROM pg_namespace")}
        return [
            (column, await counted(database, service.name, column))
            for service in present()
            if service.name in schemas
            for column in service.hashed
        ]
