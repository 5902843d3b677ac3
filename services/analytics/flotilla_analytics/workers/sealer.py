"""The sealer: gives archived events their positions, and chains them in blocks."""

from datetime import timedelta
from typing import Final

from flotilla.app import App
from flotilla.bus import faults
from flotilla.bus.declare import Worker
from flotilla.store.postgres import Database

from flotilla_analytics.domain import chain
from flotilla_analytics.store import ledger
from flotilla_analytics.workers.folds import catch_up

BLOCK: Final = 2_000
"""At most so many events in a block."""


async def seal_next(db: Database, limit: int = BLOCK) -> bool:
    """Seal one block of what is committed and has no position yet; False where there was nothing.

    One transaction: a crash leaves either all of it or none. An event that commits late simply comes into a
    later block, so positions never have gaps, and what has a position never moves.
    """
    async with db.transaction([]) as tx:
        head, previous_hash = await ledger.read_head(tx)
        entries = await ledger.take_unsealed(tx, limit)
        if entries:
            await ledger.append(tx, chain.seal(previous_hash, head + 1, entries), entries)
            faults.reach("sealing")
    return bool(entries)


async def seal(app: App) -> None:
    """Seal until nothing waits."""
    await catch_up(app, lambda: seal_next(app.db))


sealer = Worker("sealer", every=timedelta(milliseconds=250), run=seal)
