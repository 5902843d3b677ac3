"""What one piece of work costs, told apart from whatever else the machine does.

CPU is the process's own and that of the one backend which serves it (from the scheduler, in nanoseconds); blocks are
those that Postgres looked at for this database, which no neighbour changes.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
from flotilla.app import App
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.envelope import encode
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.service import load
from flotilla.testing.harness import Harness, running
from rich.console import Console
from rich.table import Table

CONNECTIONS: Final = 1
"""One backend, so that its CPU is the work's."""
BLOCKS: Final = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = $1"
FLUSH: Final = "SELECT pg_stat_force_next_flush()"
Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Cost:
    """Of one time: milliseconds of the clock (the median), µs of CPU here and in Postgres, blocks looked at."""

    ms: float
    client: float
    postgres: float
    blocks: float

    def per(self, things: int) -> "Cost":
        """Of one of so many done at a time; the clock stays the whole's."""
        return Cost(self.ms, self.client / things, self.postgres / things, self.blocks / things)

    def cells(self) -> list[str]:
        """For a table."""
        return [f"{self.ms:,.1f}", f"{self.client:,.0f}", f"{self.postgres:,.0f}", f"{self.blocks:,.1f}"]


COLUMNS: Final = ("ms", "client µs", "postgres µs", "blocks")


class Meter:
    """One service on stores of its own, its lanes given to it by hand."""

    def __init__(self, harness: Harness, admin: asyncpg.Connection, backend: int) -> None:
        self.harness = harness
        self.app: App = harness.app
        self._admin = admin
        self._backend = Path(f"/proc/{backend}/schedstat")

    @classmethod
    @asynccontextmanager
    async def of(cls, service: str, **settings: Any) -> AsyncIterator["Meter"]:
        """Opened with these settings, and gone afterwards with all it had."""
        settings = {"postgres_connections": CONNECTIONS, **settings}
        async with running(load(service), "growth", lanes_paused=True, **settings) as harness:
            admin = await asyncpg.connect(harness.instance.admin_dsn())
            try:
                yield cls(harness, admin, await harness.app.db.fetchval("SELECT pg_backend_pid()"))
            finally:
                await admin.close()

    async def cost(self, work: Work, times: int, *, warm: bool = True) -> Cost:
        """Done so often, after once to warm up."""
        if warm:
            await work()
        blocks, backend, own = await self._blocks(), self._ran(), time.process_time_ns()
        took = []
        for _ in range(times):
            began = time.perf_counter()
            await work()
            took.append(time.perf_counter() - began)
        own, backend = time.process_time_ns() - own, self._ran() - backend
        blocks = await self._blocks() - blocks
        middle = sorted(took)[len(took) // 2] * 1000
        return Cost(middle, own / times / 1000, backend / times / 1000, blocks / times)

    async def handle(self, lane: str, events: Sequence[tuple[UUID, Event]]) -> None:
        """As one batch of the lane, committed; what it says is not published."""
        cause = Cause.fresh("service:bench")
        bodies = [
            encode(data, org=org, sequence=1, cause=cause, region=self.app.settings.region).body
            for org, data in events
        ]
        await Dispatcher(self.app, lane).handle(bodies)

    async def get(self, org: UUID, path: str) -> Any:
        """As the organization's owner."""
        answer = await self.harness.client(org).get(path)
        assert answer.status == 200, (path, answer.status, answer.body[:300])
        return answer.json()

    async def settle_statistics(self) -> None:
        """As autovacuum would have done by now."""
        await self._admin.execute("VACUUM ANALYZE")

    async def _blocks(self) -> int:
        await self.app.db.fetchval(FLUSH)
        await self.app.db.fetchval("SELECT 1")
        return int(await self._admin.fetchval(BLOCKS, self.harness.instance.database))

    def _ran(self) -> int:
        return int(self._backend.read_text().split()[0])


def show(title: str, first: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table."""
    table = Table(*first, *COLUMNS, title=title, title_justify="left", box=None)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
