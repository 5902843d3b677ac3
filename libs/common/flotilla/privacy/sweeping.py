"""What has grown old goes: each organization's own, once a day, some at a time.

One process of a service sweeps at a time (a leased worker); a turn ends after so many batches and goes on in the next.
Nobody waits for it, and all services begin theirs about when a fleet starts: it pauses between organizations, so that
they are no burst. A batch is found by keyset, what it has outside Postgres goes first, then its rows in one
transaction with the count of them. Whatever dies on the way, the next turn finds what is left. Settings are read for
each batch, and once more in its transaction: a legal hold stops the sweep that is under way.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from flotilla.app import App
from flotilla.bus.declare import Worker
from flotilla.cause import Cause
from flotilla.events.privacy import RetentionSwept
from flotilla.privacy.declare import Privacy
from flotilla.privacy.keep import Keep, KeepOutside
from flotilla.privacy.kinds import is_held, period_of
from flotilla.store.postgres import Database, Transaction
from flotilla.telemetry import metrics

log = structlog.get_logger()

EVERY: Final = timedelta(minutes=1)
AT_ONCE: Final = 500
ORGANIZATIONS: Final = 100
PAUSE_SECONDS: Final = 0.1
BATCHES: Final = 200
SECONDS: Final = 30.0
"""Of a turn; far below the worker's lease."""
START: Final = UUID(int=0)

DUE: Final = """
SELECT organization_id FROM retained WHERE swept_at IS NULL OR swept_at < now() - interval '1 day'
ORDER BY swept_at NULLS FIRST, organization_id LIMIT $1"""
SETTINGS: Final = """
SELECT periods, held, now() AS now, CASE WHEN bound_from <= now() THEN bound_days END AS bound
FROM retained WHERE organization_id = $1"""
HOLD_SETTINGS: Final = f"{SETTINGS} FOR SHARE"
NOTE: Final = """
UPDATE retained
SET swept = swept || jsonb_build_object($2::text, coalesce((swept ->> $2::text)::bigint, 0) + $3::bigint)
WHERE organization_id = $1"""
OVER: Final = """
WITH before AS (SELECT organization_id, swept FROM retained WHERE organization_id = $1 FOR UPDATE)
UPDATE retained r SET swept_at = now(), swept = '{}' FROM before b
WHERE r.organization_id = b.organization_id RETURNING b.swept"""
FORGET_PARKED: Final = """
WITH old AS (
    SELECT event_id, handler FROM parked_events
    WHERE organization_id = $1 AND state = 'parked' AND failed_at < $2 LIMIT $3)
DELETE FROM parked_events p USING old WHERE p.event_id = old.event_id AND p.handler = old.handler"""


@dataclass
class Turn:
    """How much is done before the lease is given a chance to change hands."""

    batches: int = BATCHES
    until: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def goes_on(self, app: App) -> bool:
        """Whether one more batch may be done; counts it."""
        self.batches -= 1
        return self.batches >= 0 and time.monotonic() < self.until and not app.stopping.is_set()


async def sweep(app: App) -> None:
    """One turn: the organizations that were swept longest ago."""
    turn = Turn()
    for row in await app.db.fetch(DUE, ORGANIZATIONS):
        if not await _sweep_organization(app, row["organization_id"], turn):
            return
        await app.pause(PAUSE_SECONDS)


async def _sweep_organization(app: App, org: UUID, turn: Turn) -> bool:
    """Whether all of it is done."""
    privacy = app.service.privacy
    for keep in privacy.keeps if isinstance(privacy, Privacy) else ():
        after: UUID | None = START
        while after is not None:
            if not turn.goes_on(app):
                return False
            after = await _batch(app, org, keep, after)
    while await _forget_parked(app, org):
        if not turn.goes_on(app):
            return False
    async with app.db.transaction(org, cause=Cause.fresh(f"service:{app.service.name}")) as tx:
        swept = await tx.fetchval(OVER, org)
        if swept:
            told = RetentionSwept(sweep_id=app.new_id(), service=app.service.name, removed=swept)
            tx.emit(told, org=org, sequence=1)
            log.info("privacy.swept", org=str(org), things=sum(swept.values()))
    return True


async def _before(
    store: Database | Transaction, org: UUID, kind: str, *, hold: bool = False
) -> datetime | None:
    """The moment before which this kind goes; None where nothing of it does."""
    row = await store.fetchrow(HOLD_SETTINGS if hold else SETTINGS, org)
    if row is None or is_held(kind, frozenset(row["held"])):
        return None
    days = period_of(kind, row["periods"], row["bound"])
    moment: datetime | None = None if days is None else row["now"] - timedelta(days=days)
    return moment


async def _batch(app: App, org: UUID, keep: Keep | KeepOutside, after: UUID) -> UUID | None:
    """Some of it; where to go on, or None at the end."""
    before = await _before(app.db, org, keep.kind)
    if before is None:
        return None
    if isinstance(keep, KeepOutside):
        number = await keep.run(app, org, before, AT_ONCE)
        await _note(app.db, org, keep.kind, number)
        return START if number >= AT_ONCE else None
    async with app.db.transaction(org) as tx:
        keys = [row["key"] for row in await tx.fetch(finding(keep), org, before, after, AT_ONCE)]
    if not keys:
        return None
    if keep.outside is not None:
        await keep.outside(app, org, keys)
    async with app.db.transaction(org) as tx:
        if (still := await _before(tx, org, keep.kind, hold=True)) is None:
            return None
        if keep.within is not None:
            await keep.within(tx, org, keys)
        tag = await tx.execute(removing(keep), org, min(before, still), keys)
        await _note(tx, org, keep.kind, int(tag.split()[-1]))
    return keys[-1] if len(keys) == AT_ONCE else None


async def _forget_parked(app: App, org: UUID) -> bool:
    """Events that were left to a person, and that nobody looked at; whether there may be more."""
    before = await _before(app.db, org, "parked_events")
    if before is None:
        return False
    number = int((await app.db.execute(FORGET_PARKED, org, before, AT_ONCE)).split()[-1])
    await _note(app.db, org, "parked_events", number)
    return number == AT_ONCE


async def _note(store: Any, org: UUID, kind: str, number: int) -> None:
    """Add to what will be told of this sweep; nothing is told twice, and nothing forgotten, whatever dies."""
    if number:
        await store.execute(NOTE, org, kind, number)
        metrics.RETENTION_SWEPT.labels(kind).inc(number)


def finding(keep: Keep) -> str:
    """Which rows have grown old: (organization, before, after, limit)."""
    return (
        f"SELECT t.{keep.key} AS key FROM {keep.table} t"  # noqa: S608 - names of the service's own code
        f" WHERE t.organization_id = $1 AND t.{keep.key} < first_id_at($2) AND t.{keep.key} > $3 AND ({keep.where})"
        f" ORDER BY t.{keep.key} LIMIT $4"
    )


def removing(keep: Keep) -> str:
    """Have them go, or cleared: (organization, before, keys)."""
    whose = (
        f"t.organization_id = $1 AND t.{keep.key} = ANY($3::uuid[]) AND t.{keep.key} < first_id_at($2)"
        f" AND ({keep.where})"
    )
    if keep.clear is None:
        return f"DELETE FROM {keep.table} t WHERE {whose}"  # noqa: S608
    columns = ", ".join(f"{column} = {value}" for column, value in keep.clear.items())
    return f"UPDATE {keep.table} t SET {columns} WHERE {whose}"  # noqa: S608


worker: Final = Worker("privacy.retention", EVERY, sweep)
