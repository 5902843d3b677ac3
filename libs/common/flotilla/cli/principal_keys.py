"""keys principal: keys with which the gateway signs who asks, and services believe it.

add      a new one, which services believe; restart them, one after the other
use      the gateway signs with it; restart the gateway
drop     an older one, a minute later: nothing that it signed is good any more; restart the services
"""

from datetime import timedelta
from typing import Final

import typer

from flotilla.cli.fleet import InstanceName
from flotilla.cli.rotating import KeyId, Ring, shown, started_before
from flotilla.cli.screen import console, explained, failed
from flotilla.fleet import Fleet
from flotilla.instance import Instance
from flotilla.security.principal import LIFETIME_SECONDS

LIFETIME: Final = timedelta(seconds=LIFETIME_SECONDS)

app = typer.Typer(help="With which the gateway tells services who asks.", no_args_is_help=True)


@app.command("list")
def list_(instance: InstanceName = "dev") -> None:
    """Which there are."""
    with explained(instance):
        loaded = Instance.load(instance)
    console.print(shown(loaded.secrets.principal_keys, "signs", "is believed"))


@app.command()
def add(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Make a new key, which services believe from their next start on."""
    with explained(instance):
        Ring(instance, "principal_keys").add(key_id)
    console.print(f"{key_id} is believed. Restart the services, then: flotilla keys principal use {key_id}")


@app.command()
def use(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Let the gateway sign with this key from its next start on."""
    with explained(instance):
        Ring(instance, "principal_keys").use(key_id)
    console.print(
        f"{key_id} signs. Restart the gateway; a minute later: flotilla keys principal drop <older>"
    )


@app.command()
def drop(key_id: KeyId, instance: InstanceName = "dev") -> None:
    """Believe a key no longer."""
    with explained(instance):
        ring = Ring(instance, "principal_keys")
        if ring.age(key_id) < LIFETIME:
            raise failed(f"what {key_id} signed is good for a minute: wait for it to end")
        if started_before(Fleet(ring.instance), max(key.retired_at for key in ring.keys)).count("gateway"):
            raise failed("the gateway still signs with an older key: restart it first")
        ring.drop(key_id)
    console.print(f"{key_id} is gone. Restart the services: they believe it until then.")
