"""What a process of a service with projections runs for replays: the consumer of its queue, and one worker."""

from datetime import timedelta
from typing import Final

import msgspec
import structlog

from flotilla.app import App
from flotilla.bus.consumer import LaneConsumer
from flotilla.bus.declare import Lane, Worker
from flotilla.replay import opening, store, wire
from flotilla.replay.filling import Filler
from flotilla.replay.plan import RefusedError, plan
from flotilla.replay.swap import settling, swap
from flotilla.store.postgres import Row

log = structlog.get_logger()

SILENCE: Final = timedelta(minutes=15)
"""Without a word from the archive a replay fails after so long."""


def consumer(app: App) -> LaneConsumer:
    """A message at a time: each is a batch, and a transaction."""
    return LaneConsumer(app, Lane(wire.LANE, wait=timedelta(), batch=1), Filler(app))


async def conclude(app: App) -> None:
    """End what failed, and what has caught up."""
    await app.db.execute(store.SILENT, SILENCE)
    for row in await app.db.fetch(store.FAILING):
        await _fail(app, row)
    for row in await app.db.fetch(store.CAUGHT_UP, settling(app)):
        await swap(app, row["id"])


async def _fail(app: App, row: Row) -> None:
    wished = msgspec.convert(row["opening"], wire.Opening)
    async with app.db.transaction([], cause=wished.cause) as tx:
        await tx.execute(store.CLOSE_GATE)
        ended = await store.end(tx, row["id"], "failed")
        if ended is None:
            return
        try:
            await opening.empty(tx, plan(app.service, wished))
        except RefusedError:  # what it was to build is no longer declared, and its shadow gone
            log.info("replay.nothing_to_empty", replay=str(row["id"]))
        opening.fail(tx, row["id"], wished, ended["reason"])


worker = Worker("bus.replays", timedelta(milliseconds=500), conclude, leased=False)
"""Without a lease, which would cut a long comparison off: the row's lock keeps processes apart."""
