"""A fleet on servers of its own, encrypted throughout, and of another region than all others here."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from flotilla.fleet import OPERATOR, Fleet
from flotilla.native.authority import Authority
from flotilla.native.vhost import ensure_vhost
from flotilla.security.tls import trusting
from flotilla.service import load
from flotilla.store.migrate import migrate_all
from flotilla.testing.people import Person
from flotilla.testing.private import postgres_data, private_instance

SERVICES: Final = ("gateway", "auth", "messaging", "crm", "analytics")
REGION: Final = "us"
EU: Final = "https://eu.flotilla.example"
"""Where the other region is said to be."""
LIMIT: Final = aiohttp.ClientTimeout(total=30)


@dataclass
class Encrypted:
    """The fleet, and an authority that nobody believes."""

    fleet: Fleet
    stranger: Authority

    @property
    def authority(self) -> Authority:
        return Authority(self.fleet.instance.ca_file.parent)

    @asynccontextmanager
    async def caller(self) -> AsyncIterator[Person]:
        """Somebody before the gateway, who believes our authority."""
        connector = aiohttp.TCPConnector(ssl=trusting(self.authority.ca_file), force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=LIMIT) as session:
            yield Person(self.fleet.instance.public_url, session)


@asynccontextmanager
async def encrypted_fleet(folder: Path) -> AsyncIterator[Encrypted]:
    """Started for all who need it: whether a listener is plain is said when its server starts."""
    instance = private_instance(folder / "checkout", tls=True, region=REGION)
    fleet = Fleet(instance.with_isolation(overrides={"FLOTILLA_CELLS": f"eu={EU}"}))
    stranger = Authority(folder / "stranger")
    stranger.issue([OPERATOR])
    try:
        await fleet.start_servers()
        await ensure_vhost(instance)
        await migrate_all(instance, tuple(load(name) for name in SERVICES))
        await fleet.start_services(SERVICES)
        yield Encrypted(fleet, stranger)
    finally:
        await fleet.stop_services(SERVICES)
        await fleet.stop_servers()
        shutil.rmtree(postgres_data(instance), ignore_errors=True)
