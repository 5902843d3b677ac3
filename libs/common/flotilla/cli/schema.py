"""migrate: schemas and topology, a step of its own before new code runs."""

import asyncio

from flotilla.cli.fleet import InstanceName
from flotilla.cli.screen import console, explained
from flotilla.fleet import Fleet
from flotilla.instance import Instance


def migrate(instance: InstanceName = "dev") -> None:
    """Bring the database's schemas and the broker's queues up to date."""
    with explained(instance):
        fleet = Fleet(Instance.load(instance))
        with fleet.exclusive(), console.status("migrating"):
            applied = asyncio.run(fleet.migrate())
    console.print(f"{applied} migrations applied" if applied else "nothing to migrate")
