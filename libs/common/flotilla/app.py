"""One running process of a service: its settings, its stores, its way to the bus."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flotilla.ids import new_id
from flotilla.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from flotilla.bus.relay import Relay
    from flotilla.security.sealing import Keyring
    from flotilla.security.principal import PrincipalVerifier
    from flotilla.service import Service
    from flotilla.store.documents import Documents
    from flotilla.store.postgres import Database


@dataclass
class App:
    """What routes, handlers, jobs and workers are given. Made by `flotilla.run`, and by tests."""

    service: "Service"
    settings: Settings
    db: "Database"
    relay: "Relay"
    keyring: "Keyring"
    principals: "PrincipalVerifier"
    documents: "Documents | None" = None
    """Where the service declares it."""
    redis: "Redis | None" = None
    """Where the service declares it."""
    own: Any = None
    """What the service's own `resources` yielded: its adapters, providers, caches."""
    jobs_wake: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process was told to stop: take no more work, finish what is in hand."""

    def new_id(self) -> UUID:
        """A fresh UUIDv7."""
        return new_id()
