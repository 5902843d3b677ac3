"""What each process keeps in memory of the bus's own tables: feature flags, and who is forgotten.

Read before the process handles anything; read again when a transaction of the service says so (NOTIFY), and looked at
now and then all the same, for a connection that nothing comes over may be a dead one.
"""

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.flags.memory import Flags
from flotilla.privacy.tombstones import Tombstones

if TYPE_CHECKING:
    from flotilla.app import App
    from flotilla.store.postgres import Database

log = structlog.get_logger()

CHANNEL: Final = "fleet"
LOOK_SECONDS: Final = 2.0
LOOK: Final = "SELECT (SELECT max(written_at) FROM forgotten), (SELECT sum(sequence) FROM known_flags)"


class Known:
    """Flags and tombstones, as the database had them last."""

    def __init__(self) -> None:
        self.flags = Flags()
        self.forgotten = Tombstones()
        self._seen: object = None

    async def read(self, db: "Database") -> None:
        """Take over what the database says."""
        seen = await self._look(db)
        await self.forgotten.read(db)
        await self.flags.read(db)
        self._seen = seen

    async def keep(self, app: "App") -> None:
        """Follow the database until the process stops."""
        stale = asyncio.Event()
        listening = asyncio.create_task(app.db.listen(CHANNEL, lambda _: stale.set(), stale.set))
        stopping = asyncio.create_task(app.stopping.wait())
        try:
            while not app.stopping.is_set():
                heard = asyncio.create_task(stale.wait())
                await asyncio.wait(
                    (heard, stopping), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                heard.cancel()
                try:
                    if stale.is_set() or await self._look(app.db) != self._seen:
                        stale.clear()
                        await self.read(app.db)
                except INFRASTRUCTURE_ERRORS as error:
                    stale.set()
                    log.warning("known.paused", error=type(error).__name__)
                    await asyncio.wait((stopping,), timeout=LOOK_SECONDS)
        finally:
            listening.cancel()
            stopping.cancel()

    async def _look(self, db: "Database") -> object:
        row = await db.fetchrow(LOOK)
        return tuple(row.values()) if row else None
