"""The fold of metrics: numbers, conversations and cursor are saved in one transaction, so nothing counts twice."""

from datetime import timedelta
from typing import Final

from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.store.postgres import Database

from flotilla_analytics.domain.metrics import TYPES, Fold, conversations_of
from flotilla_analytics.goals import numbers_moved
from flotilla_analytics.store import archive, ledger, metrics
from flotilla_analytics.workers.folds import BATCH, catch_up, facts_of, next_stretch

NAME: Final = "metrics"


async def fold_next(db: Database, limit: int = BATCH) -> bool:
    """Fold the next stretch of positions; False where there was none."""
    stretch = await next_stretch(db, NAME, TYPES, limit)
    if stretch is None:
        return False
    async with db.transaction(stretch.orgs) as tx:
        if await ledger.move_cursor(tx, NAME, stretch.after, stretch.end) and stretch.entries:
            rows = await archive.read_folded(tx, stretch.entries, TYPES)
            facts = facts_of(NAME, rows)
            fold = Fold(await metrics.read_conversations(tx, conversations_of(facts)))
            fold.take(facts)
            await metrics.save(tx, fold.conversations, fold.deltas)
            if fold.deltas:
                await numbers_moved(tx, {cell.org for cell in fold.deltas})
    return True


async def fold_metrics(app: App) -> None:
    """Fold until caught up."""
    await catch_up(app, lambda: fold_next(app.db))


worker = Worker("metrics", every=timedelta(milliseconds=500), run=fold_metrics)
