"""The sweep of bodies whose message never came to be: a request that was refused, a batch that was undone."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from flotilla.app import App
from flotilla.bus.declare import Worker

from flotilla_messaging.store import bodies, messages

log = structlog.get_logger()

KEPT: Final = timedelta(days=1)
"""Far longer than it takes from a body to its row."""
BATCH: Final = 1000


async def sweep_bodies(app: App) -> None:
    """Look at each body once, a day after it was written; on from where the last sweep ended."""
    collection = bodies.collection(app)
    await collection.index("written_at")
    bound = datetime.now(UTC) - KEPT
    while not app.stopping.is_set():
        since = await app.db.fetchval(bodies.SWEPT_UNTIL) or datetime.fromtimestamp(0, UTC)
        found = await collection.between("written_at", since, bound, BATCH)
        removed = await _remove_orphans(app, found, bound)
        if removed:
            log.info("bodies.swept", bodies=removed)
        # Bodies of one moment may be more than a batch: the last moment is looked at again.
        until = found[-1]["written_at"] if len(found) == BATCH else bound
        if until == since:
            until = since + timedelta(milliseconds=1)
        await app.db.execute(bodies.SWEEP_ON, until)
        if len(found) < BATCH:
            return


async def _remove_orphans(app: App, found: list[dict[str, Any]], bound: datetime) -> int:
    by_org: dict[UUID, list[UUID]] = defaultdict(list)
    for document in found:
        by_org[document["organization_id"]].append(document["_id"])
    if not by_org:
        return 0
    async with app.db.transaction(by_org) as tx:
        keys = [(org, message_id) for org, ids in by_org.items() for message_id in ids]
        standing = await messages.bodies_standing(tx, keys)
    removed = 0
    for org, ids in by_org.items():
        orphans = [message_id for message_id in ids if (org, message_id) not in standing]
        if orphans:
            removed += await bodies.collection(app).delete_before(org, orphans, "written_at", bound)
    return removed


body_sweep = Worker("bodies.sweep", timedelta(hours=1), sweep_bodies)
