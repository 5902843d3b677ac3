"""Timers: rows in `jobs` that fire at their moment, by the database's clock, each in the transaction that removes it.

A handler locks what it is about; a request locks that too, and then moves or cancels the timer. Each would wait for
the other, and people are not kept waiting by timers: it is the timer that gives way (flotilla.store.collisions).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from flotilla.app import App
from flotilla.bus import faults
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import Job, TimerKind
from flotilla.bus.jobs import job_of, wait_for_work
from flotilla.bus.parked import error_words
from flotilla.store.collisions import COLLISIONS, GIVES_WAY
from flotilla.store.postgres import Row, Transaction
from flotilla.telemetry.traces import caused_span, caused_spans

log = structlog.get_logger()

TIMER_BATCH: Final = 100
SOON: Final = timedelta(seconds=1)
"""After which one that gave way is fired again, behind those that stand in nobody's way."""

DUE_TIMERS: Final = """
SELECT id, organization_id FROM jobs WHERE kind = $1 AND due_at <= now() ORDER BY due_at LIMIT $2"""
TAKE_TIMERS: Final = f"""
DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE id = ANY($1) AND due_at <= now() ORDER BY id
                              FOR UPDATE SKIP LOCKED) RETURNING *, {GIVES_WAY}"""  # noqa: S608
# Who moves or cancels it at this moment is not waited for: then it needs nothing.
PUT_OFF: Final = """
UPDATE jobs SET due_at = now() + $2
WHERE id = (SELECT id FROM jobs WHERE id = $1 AND due_at <= now() FOR UPDATE SKIP LOCKED)"""
DELAY_TIMER: Final = """
UPDATE jobs SET attempts = attempts + 1, error = $2, due_at = now() + least(
    make_interval(secs => 2 ^ least(attempts, 12)), interval '1 hour') WHERE id = $1 AND due_at <= now()"""


class TimerLoop:
    """Fires the timers of one kind."""

    def __init__(self, app: App, kind: TimerKind) -> None:
        self._app = app
        self._kind = kind
        self._wake = app.jobs_wake.subscribe(kind.kind)

    async def run(self) -> None:
        """Fire what is due, until the process is told to stop."""
        while not self._app.stopping.is_set():
            try:
                fired = await self.turn()
            except INFRASTRUCTURE_ERRORS as error:
                log.warning("timers.paused", kind=self._kind.kind, error=repr(error))
                fired = 0
            if fired < TIMER_BATCH:
                await wait_for_work(self._wake)

    async def turn(self) -> int:
        """Fire what is due now, at most `TIMER_BATCH`: how many were."""
        rows = await self._app.db.fetch(DUE_TIMERS, self._kind.kind, TIMER_BATCH)
        if not rows:
            return 0
        try:
            return await self._fire(rows)
        except Exception as error:  # one of them; alone, each shows its own
            if _is_away(error):
                raise
            for row in rows:
                await self._fire_alone(row)
        return len(rows)

    async def _fire(self, rows: Sequence[Row]) -> int:
        """Fire those of these that no other process has in hand: their number."""
        async with self._app.db.transaction({row["organization_id"] for row in rows}) as tx:
            taken = await tx.fetch(TAKE_TIMERS, [row["id"] for row in rows])
            await self._ring(tx, [job_of(row, self._kind.payload) for row in taken])
            faults.reach("ringing")
        return len(taken)

    async def _ring(self, tx: Transaction, jobs: Sequence[Job]) -> None:
        name = f"{self._app.service.name} {self._kind.kind}"
        if self._kind.fire_all is not None:
            with caused_spans(name, jobs) as traced:
                await self._kind.fire_all(tx, traced)
            return
        assert self._kind.fire is not None
        for job in jobs:
            with caused_span(name, job) as own:
                tx.caused_by(own.cause)
                await self._kind.fire(tx, own)

    async def _fire_alone(self, row: Row) -> None:
        try:
            await self._fire([row])
        except COLLISIONS as error:
            kind, org = self._kind.kind, str(row["organization_id"])
            log.info("timer.gave_way", kind=kind, org=org, error=type(error).__name__)
            await self._app.db.execute(PUT_OFF, row["id"], SOON)
        except INFRASTRUCTURE_ERRORS:
            raise
        except Exception as error:
            log.error("timer.failed", kind=self._kind.kind, org=str(row["organization_id"]), exc_info=error)
            await self._app.db.execute(DELAY_TIMER, row["id"], error_words(error))


def _is_away(error: Exception) -> bool:
    return isinstance(error, INFRASTRUCTURE_ERRORS) and not isinstance(error, COLLISIONS)
