"""What Redis did not bring, from the feed.

The feed is compared with what was pushed here: every few seconds while Redis is well, several times a second while it
is not, and at once when it comes back. From one look to the next nothing is left out, whatever order transactions
end in: each look begins where no transaction of the one before was still open.
"""

import asyncio

import structlog
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.store.postgres import Database

from flotilla_websocket.fanout import Fanout
from flotilla_websocket.hub import Hub
from flotilla_websocket.metrics import FOUND
from flotilla_websocket.store import feed

log = structlog.get_logger()


class CatchUp:
    """Compares the feed with what was pushed."""

    def __init__(self, db: Database, hub: Hub, fanout: Fanout, well: float, unwell: float) -> None:
        self._db = db
        self._hub = hub
        self._fanout = fanout
        self._seconds = {True: well, False: unwell}
        self._seen: feed.Horizon | None = None

    async def run(self) -> None:
        """Compare until cancelled; a database that is away is waited for."""
        while True:
            try:
                await self.look()
            except INFRASTRUCTURE_ERRORS as error:
                log.warning("live.blind", error=type(error).__name__)
            try:
                async with asyncio.timeout(self._seconds[self._fanout.connected]):
                    await self._fanout.turned.wait()
            except TimeoutError:
                pass
            self._fanout.turned.clear()

    async def look(self) -> None:
        """Push what came since the last look and was not pushed."""
        now = await feed.horizon(self._db)
        orgs = self._hub.orgs
        if self._seen is not None and orgs:
            missing = self._hub.unseen(await feed.arrived(self._db, orgs, self._seen))
            if missing:
                FOUND.inc(len(missing))
                self._hub.deliver(await feed.read(self._db, orgs, missing))
        self._seen = now
