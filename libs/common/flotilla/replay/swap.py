"""The end of a replay: the generations are compared, and the new one takes the old one's place, in one transaction.

First, while live projections go on, the keys of the rows that differ are written down. A row that is the same in
both stays the same, because live events go into both; so no more rows can differ afterwards. Then the gate is
closed, only those rows are set right, and the transaction ends: live projections wait for the few rows that differ,
not for the comparison of all. Rows are updated where they stand, so that foreign keys hold.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
import structlog

from flotilla.app import App
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.replay import opening as answers
from flotilla.replay import store
from flotilla.replay.plan import Plan, plan
from flotilla.replay.shape import Shape
from flotilla.replay.wire import Opening
from flotilla.store.postgres import Row, Transaction
from flotilla.telemetry.logs import own_words

log = structlog.get_logger()

ORGANIZATIONS_AT_ONCE: Final = 50
SEE: Final = "SELECT set_config('flotilla.orgs', $1, true)"
AHEAD: Final = "SELECT count(*) FROM replay_differences WHERE replay_id = $1 AND ahead"
DIFFERING: Final = """
SELECT DISTINCT organization_id FROM replay_differences
WHERE replay_id = $1 AND organization_id IS NOT NULL ORDER BY organization_id"""


class _NotYet(Exception):  # noqa: N818 - undoes the transaction
    """The old generation is ahead: what it knows may still be on its way through the archive."""


async def swap(app: App, id_: UUID) -> None:
    """Put the new generation in the old one's place, where it is complete. Fails the replay where a row refuses.

    Another process may be at it, or a stretch come in: then it is left to the next time.
    """
    try:
        async with app.db.transaction([]) as tx:
            row = await tx.fetchrow(store.LOCK, id_, settling(app))
            if row is not None:
                await _swap(tx, row)
    except _NotYet:
        await app.db.execute(store.COMPARED, id_)
    except INFRASTRUCTURE_ERRORS:
        raise
    except Exception as error:
        log.error("replay.not_swapped", replay=str(id_), exc_info=error)
        async with app.db.transaction([]) as tx:
            await store.give_up(tx, id_, _why(error))


def settling(app: App) -> timedelta:
    """How long the old generation may be ahead."""
    return timedelta(seconds=app.settings.replay_settle_seconds)


async def _swap(tx: Transaction, row: Row) -> None:
    opening = msgspec.convert(row["opening"], Opening)
    wanted = plan(tx.app.service, opening)
    shapes = [
        await Shape.read(tx, tx.app.service.name, table, wanted.stamps(table)) for table in wanted.tables
    ]
    organizations = await _organizations(tx, row["id"], opening)
    for shape in shapes:
        statement = shape.compare(partial=wanted.partial)
        for batch in _batches(shape, organizations, opening):
            await _see(tx, batch)
            await tx.execute(statement, row["id"], batch)
    if not row["settled"] and await tx.fetchval(AHEAD, row["id"]):
        raise _NotYet
    await tx.execute(store.CLOSE_GATE)
    counts = await _set_right(tx, row["id"], wanted, shapes, opening)
    for notice in await tx.fetch(store.NOTICES, row["id"]):
        await tx.notify(notice["channel"], notice["payload"])
    await tx.execute(store.WAKE)
    await answers.empty(tx, wanted)
    await store.end(tx, row["id"], "finished")
    answers.finish(tx, row["id"], opening, wanted, row["events"], counts)


async def _set_right(
    tx: Transaction, id_: UUID, wanted: Plan, shapes: Sequence[Shape], opening: Opening
) -> tuple[int, int, int]:
    """Rows added, updated, removed."""
    differing = [row["organization_id"] for row in await tx.fetch(DIFFERING, id_)]
    added = updated = removed = 0
    for shape in shapes:
        for batch in _batches(shape, differing, opening):
            await _see(tx, batch)
            if not wanted.partial:
                removed += _count(await tx.execute(shape.remove(), id_, batch))
            updated += _count(await tx.execute(shape.update(partial=wanted.partial), id_, batch))
            added += _count(await tx.execute(shape.add(), id_, batch))
    return added, updated, removed


async def _organizations(tx: Transaction, id_: UUID, opening: Opening) -> list[UUID]:
    if opening.filter.organizations:
        return sorted(opening.filter.organizations)
    return [row["organization_id"] for row in await tx.fetch(store.ORGANIZATIONS, id_)]


def _batches(shape: Shape, organizations: Sequence[UUID], opening: Opening) -> Iterator[list[UUID] | None]:
    """Some organizations at a time where rows are protected; the table as a whole, or what was asked for, where not."""
    if not shape.protected:
        yield list(opening.filter.organizations) or None
        return
    for start in range(0, len(organizations), ORGANIZATIONS_AT_ONCE):
        yield list(organizations[start : start + ORGANIZATIONS_AT_ONCE])


async def _see(tx: Transaction, organizations: Sequence[UUID] | None) -> None:
    """From here on the transaction sees these organizations' rows."""
    await tx.execute(SEE, ",".join(map(str, organizations or ())))


def _count(tag: str) -> int:
    return int(tag.rsplit(" ", 1)[1])


def _why(error: Any) -> str:
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return f"a row that the archive knows nothing of is still referred to: {error.table_name}"
    return own_words(error) or type(error).__name__
