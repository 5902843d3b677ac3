"""One running process of a service: its settings, its stores, its way to the bus."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flotilla.ids import new_id
from flotilla.known import Known
from flotilla.settings import Settings

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from flotilla.bus.consumer import LaneConsumer
    from flotilla.bus.relay import Relay
    from flotilla.bus.transient import Transient
    from flotilla.security.principal import PrincipalVerifier
    from flotilla.security.sealing import Keyring
    from flotilla.security.tls import Tls
    from flotilla.service import Service
    from flotilla.store.documents import Documents
    from flotilla.store.postgres import Database


class Wake:
    """A signal with many listeners: each has an event of its own to clear, and a kind that it listens for."""

    def __init__(self) -> None:
        self._listeners: list[tuple[str, asyncio.Event]] = []

    def subscribe(self, kind: str) -> asyncio.Event:
        """An event that is set at each `set` of this kind."""
        event = asyncio.Event()
        self._listeners.append((kind, event))
        return event

    def set(self, kinds: Collection[str] | None = None) -> None:
        """Wake who listens for one of these; everybody, where none are named."""
        for kind, event in self._listeners:
            if kinds is None or kind in kinds:
                event.set()


@dataclass
class App:
    """What routes, handlers, jobs and workers are given. Made by `flotilla.run`, and by tests."""

    service: "Service"
    settings: Settings
    db: "Database"
    relay: "Relay"
    transient: "Transient"
    """Tells what is worth something now or never."""
    keyring: "Keyring"
    principals: "PrincipalVerifier"
    tls: "Tls | None" = None
    """Where the process encrypts what it serves."""
    documents: "Documents | None" = None
    """Where the service declares it."""
    redis: "Redis | None" = None
    """Where the service declares it."""
    own: Any = None
    """What the service's own `resources` yielded: its adapters, providers, caches."""
    known: Known = field(default_factory=Known)
    """Feature flags, and who is forgotten."""
    jobs_wake: Wake = field(default_factory=Wake)
    """Set, by kind, where jobs and timers are due: after a commit that wrote them, or because their time has come."""
    lanes: "list[LaneConsumer]" = field(default_factory=list)
    """The consumers of this process."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process was told to stop: take no more work, finish what is in hand."""

    async def pause(self, seconds: float) -> None:
        """For so long, and no longer than until the process is told to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            pass

    def new_id(self) -> UUID:
        """A fresh UUIDv7."""
        return new_id()
