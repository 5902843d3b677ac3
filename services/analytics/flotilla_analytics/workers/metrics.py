"""The fold of metrics: numbers, conversations and cursor are saved in one transaction, so nothing counts twice."""

from datetime import timedelta
from typing import Final

import msgspec
import structlog
from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.events.base import CONTRACTS
from flotilla.store.postgres import Database, Row

from flotilla_analytics.domain.metrics import TYPES, Fact, Fold, conversations_of
from flotilla_analytics.goals import numbers_moved
from flotilla_analytics.store import archive, ledger, metrics
from flotilla_analytics.workers.folds import BATCH, catch_up, next_stretch

log = structlog.get_logger()

NAME: Final = "metrics"


async def fold_next(db: Database, limit: int = BATCH) -> bool:
    """Fold the next stretch of positions; False where there was none."""
    stretch = await next_stretch(db, NAME, limit)
    if stretch is None:
        return False
    async with db.transaction(stretch.orgs) as tx:
        if await ledger.move_cursor(tx, NAME, stretch.after, stretch.end):
            rows = await archive.read_folded(tx, stretch.entries, TYPES)
            facts = [fact for row in rows if (fact := _fact(row)) is not None]
            fold = Fold(await metrics.read_conversations(tx, conversations_of(facts)))
            fold.take(facts)
            await metrics.save(tx, fold.conversations, fold.deltas)
            if fold.deltas:
                await numbers_moved(tx, {cell.org for cell in fold.deltas})
    return True


async def fold_metrics(app: App) -> None:
    """Fold until caught up."""
    await catch_up(app, lambda: fold_next(app.db))


def _fact(row: Row) -> Fact | None:
    """The event as its contract has it; what breaks its contract counts nowhere."""
    try:
        data = msgspec.convert(row["data"], CONTRACTS[row["type"]].data)
    except msgspec.ValidationError as error:
        log.warning("metrics.skipped", event_id=str(row["id"]), type=row["type"], error=type(error).__name__)
        return None
    return Fact(row["organization_id"], row["sequence"], data)


worker = Worker("metrics", every=timedelta(milliseconds=500), run=fold_metrics)
