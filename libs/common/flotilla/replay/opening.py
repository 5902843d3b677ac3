"""A replay begins, or is refused: the first message of the archive."""

from typing import Final
from uuid import UUID

from flotilla.app import App
from flotilla.events.analytics import ReplayFailed, ReplayFinished, ReplayStarted
from flotilla.replay import store
from flotilla.replay.plan import Plan, RefusedError, plan, types_of
from flotilla.replay.shape import Shape
from flotilla.replay.twins import schema_of
from flotilla.replay.wire import Opening
from flotilla.store.postgres import Transaction

TRUNCATE: Final = "TRUNCATE {tables}"


async def begin(app: App, id_: UUID, opening: Opening, abort: str | None = None) -> None:
    """Begin with an empty shadow, or say at once why not; what is known already is left alone."""
    async with app.db.transaction([], cause=opening.cause) as tx:
        await tx.execute(store.CLOSE_GATE)
        if await tx.fetchval(store.KNOWN, id_) is not None:
            return
        wanted: Plan | None = None
        reason = abort
        try:
            wanted = plan(app.service, opening)
            if reason is None and await tx.fetchval(store.OPEN) is not None:
                # Which one is nobody's business: it may be another organization's.
                reason = f"another replay of {app.service.name} is running"
            await _divisible(tx, wanted, opening)
        except RefusedError as refused:
            reason = reason or str(refused)
        names = [handler.name for handler in wanted.handlers] if wanted else []
        await store.insert(tx, id_, opening, names, reason)
        if reason is not None or wanted is None:
            fail(tx, id_, opening, reason or "")
            return
        await empty(tx, wanted)
        started = ReplayStarted(
            request_id=opening.request_id,
            replay_id=id_,
            service=app.service.name,
            projections=names,
            types=_types(wanted, opening),
        )
        tx.emit(started, org=opening.organization_id, sequence=1)


def _types(wanted: Plan, opening: Opening) -> list[list[str]]:
    asked = set(opening.filter.types)
    taken = [types_of([handler]) for handler in wanted.handlers]
    return [sorted(types & asked if asked else types) for types in taken]


async def _divisible(tx: Transaction, wanted: Plan, opening: Opening) -> None:
    """Rows of one organization can be told from those of others; RefusedError."""
    if not opening.filter.organizations:
        return
    for table in wanted.tables:
        shape = await Shape.read(tx, tx.app.service.name, table, ())
        if not shape.has_organization:
            raise RefusedError(
                f"{table} belongs to no organization; name other projections, or rebuild it for all"
            )


async def empty(tx: Transaction, wanted: Plan) -> None:
    """Nothing stands in the shadow of these projections."""
    shadow = schema_of(tx.app.service.name)
    await tx.execute(TRUNCATE.format(tables=", ".join(f'{shadow}."{table}"' for table in wanted.tables)))


def fail(tx: Transaction, id_: UUID, opening: Opening, reason: str) -> None:
    """Say why it came to nothing."""
    failed = ReplayFailed(
        request_id=opening.request_id, replay_id=id_, service=tx.app.service.name, reason=reason
    )
    tx.emit(failed, org=opening.organization_id, sequence=2, cause=opening.cause)


def finish(
    tx: Transaction, id_: UUID, opening: Opening, wanted: Plan, events: int, counts: tuple[int, int, int]
) -> None:
    """Say what it came to: rows added, updated, removed."""
    added, updated, removed = counts
    finished = ReplayFinished(
        request_id=opening.request_id,
        replay_id=id_,
        service=tx.app.service.name,
        projections=[handler.name for handler in wanted.handlers],
        events=events,
        added=added,
        updated=updated,
        removed=removed,
    )
    tx.emit(finished, org=opening.organization_id, sequence=2, cause=opening.cause)
