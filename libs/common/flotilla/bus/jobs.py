"""Leased work and timers: rows in `jobs`, done by worker loops, by the database's clock.

A job is leased, its outside work awaited without a transaction, its result committed together with the
removal of the row, and only by the lease's holder: where a lease was lost meanwhile, the second commit fails
and changes nothing. A process that dies leaves a lease that runs out; the next attempt is told of it
(`Job.interrupted`), because the outside may have been reached.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from flotilla.app import App
from flotilla.bus import faults
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import LEASE_MARGIN, Job, JobKind, RetryLater, TimerKind
from flotilla.bus.parked import delay_after, error_words
from flotilla.cause import Cause, current_cause
from flotilla.ids import new_id
from flotilla.store.postgres import Row
from flotilla.telemetry import metrics
from flotilla.telemetry.traces import caused_span

log = structlog.get_logger()

POLL_SECONDS: Final = 1.0
TIMER_BATCH: Final = 100

LEASE: Final = """
WITH due AS (
    SELECT id, leased_until IS NOT NULL AS interrupted FROM jobs
    WHERE kind = $1 AND due_at <= now() AND (leased_until IS NULL OR leased_until < now())
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
UPDATE jobs SET leased_until = now() + $3, lease_token = $4, attempts = attempts + 1
FROM due WHERE jobs.id = due.id
RETURNING jobs.*, due.interrupted"""

FINISH: Final = "DELETE FROM jobs WHERE id = $1 AND lease_token = $2 RETURNING id"
# The lease has run out, so that the next attempt is told of this one.
INTERRUPT: Final = """
UPDATE jobs SET leased_until = now(), due_at = now() + $3, error = $4 WHERE id = $1 AND lease_token = $2"""
RELEASE: Final = """
UPDATE jobs SET leased_until = NULL, lease_token = NULL, due_at = now() + $3, attempts = attempts - $4, error = $5
WHERE id = $1 AND lease_token = $2"""

DUE_KINDS: Final = """
SELECT kind FROM unnest($1::text[]) AS wanted (kind) WHERE EXISTS (
    SELECT FROM jobs WHERE jobs.kind = wanted.kind AND jobs.due_at <= now()
                       AND (jobs.leased_until IS NULL OR jobs.leased_until < now()))"""

DUE_TIMERS: Final = """
SELECT id, organization_id FROM jobs WHERE kind = $1 AND due_at <= now() ORDER BY due_at LIMIT $2"""
TAKE_TIMERS: Final = """
DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE id = ANY($1) AND due_at <= now() ORDER BY id
                              FOR UPDATE SKIP LOCKED) RETURNING *"""
DELAY_TIMER: Final = """
UPDATE jobs SET attempts = attempts + 1, error = $2, due_at = now() + least(
    make_interval(secs => 2 ^ least(attempts, 12)), interval '1 hour') WHERE id = $1 AND due_at <= now()"""


class LeaseLostError(RuntimeError):
    """Somebody else has the job now; nothing of this attempt is kept."""


class TimeUpError(TimeoutError):
    """The attempt was stopped before its lease ran out; the outside may have been reached."""


class AttemptsUsedUpError(RuntimeError):
    """Every attempt began and none came to an end: the job may be what its processes died of."""


class JobLoop:
    """Does the jobs of one kind, some at a time."""

    def __init__(self, app: App, kind: JobKind) -> None:
        self._app = app
        self._kind = kind
        self._wake = app.jobs_wake.subscribe(kind.kind)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Lease and do, until the process is told to stop; then finish what is in hand."""
        while not self._app.stopping.is_set():
            free = self._kind.concurrency - len(self._running)
            jobs = await self._lease(free) if free else []
            for job in jobs:
                task = asyncio.create_task(self._do(job))
                self._running.add(task)
                task.add_done_callback(self._ended)
            if not jobs:
                await wait_for_work(self._wake)
        try:
            if self._running:
                await asyncio.wait(self._running)
        finally:  # cut off: their leases run out, and the next attempts are told
            for task in self._running:
                task.cancel()

    async def turn(self) -> int:
        """Do what is due now, as much as may run at once, to its end: how many jobs. For what goes step by step."""
        jobs = await self._lease(self._kind.concurrency)
        await asyncio.gather(*(self._do(job) for job in jobs))
        return len(jobs)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._wake.set()

    async def _lease(self, limit: int) -> list[tuple[Job, UUID]]:
        token = new_id()
        try:
            rows = await self._app.db.fetch(LEASE, self._kind.kind, limit, self._kind.lease, token)
            return [(job, token) for row in rows if (job := await self._readable(row, token))]
        except INFRASTRUCTURE_ERRORS as error:
            log.warning("jobs.paused", kind=self._kind.kind, error=repr(error))
            return []

    async def _readable(self, row: Row, token: UUID) -> Job | None:
        """One that cannot be read is put off with its error, and keeps no other from being done."""
        try:
            return _job(row, self._kind.payload)
        except msgspec.ValidationError as error:
            log.error("job.unreadable", kind=row["kind"], key=row["key"])
            delay = delay_after(row["attempts"])
            await self._app.db.execute(RELEASE, row["id"], token, delay, 0, error_words(error))
            return None

    async def _do(self, leased: tuple[Job, UUID]) -> None:
        job, token = leased
        current_cause.set(job.cause)
        try:
            with caused_span(f"{self._app.service.name} {job.kind}", job) as traced:
                result = await self._perform(traced)
                faults.reach("performed")
                try:
                    await self._end(traced, token, result)
                except LeaseLostError:
                    raise
                except Exception as error:
                    await self._unwritten(job, token, error)
                    return
            metrics.JOBS.labels(job.kind, "done").inc()
        except LeaseLostError:
            log.warning("job.lease_lost", kind=job.kind, key=job.key)
        except Exception as error:
            await self._failed(job, token, error)

    async def _perform(self, job: Job) -> Any:
        if job.attempt > self._kind.attempts:
            raise AttemptsUsedUpError(f"begun {self._kind.attempts} times")
        try:
            async with asyncio.timeout((self._kind.lease - LEASE_MARGIN).total_seconds()) as limit:
                return await self._kind.perform(self._app, job)
        except TimeoutError as error:
            if limit.expired():
                raise TimeUpError("stopped before its lease ran out") from error
            raise

    async def _end(self, job: Job, token: UUID, result: Any) -> None:
        async with self._app.db.transaction(job.org, cause=job.cause) as tx:
            if await tx.fetchval(FINISH, job.id, token) is None:
                raise LeaseLostError
            await self._kind.finish(tx, job, result)

    async def _unwritten(self, job: Job, token: UUID, error: Exception) -> None:
        """The outside was reached but its result not written: an interrupted attempt, no clean failure."""
        log.error("job.unwritten", kind=job.kind, key=job.key, exc_info=error)
        try:
            delay = delay_after(job.attempt)
            await self._app.db.execute(INTERRUPT, job.id, token, delay, error_words(error))
        except Exception as second:  # the lease runs out by itself
            log.error("job.unfinished", kind=job.kind, key=job.key, exc_info=second)

    async def _failed(self, job: Job, token: UUID, error: Exception) -> None:
        log.warning(
            "job.failed", kind=job.kind, org=str(job.org), attempt=job.attempt, error=type(error).__name__
        )
        try:
            if isinstance(error, RetryLater):
                await self._app.db.execute(RELEASE, job.id, token, error.after, 1, error_words(error))
            elif job.attempt < self._kind.attempts:
                delay = delay_after(job.attempt)
                if isinstance(error, TimeUpError):
                    await self._app.db.execute(INTERRUPT, job.id, token, delay, error_words(error))
                else:
                    await self._app.db.execute(RELEASE, job.id, token, delay, 0, error_words(error))
            else:
                await self._give_up(job, token, error)
                metrics.JOBS.labels(job.kind, "given_up").inc()
        except Exception as second:  # the lease runs out, and another attempt comes
            log.error("job.unfinished", kind=job.kind, key=job.key, exc_info=second)

    async def _give_up(self, job: Job, token: UUID, error: Exception) -> None:
        async with self._app.db.transaction(job.org, cause=job.cause) as tx:
            if await tx.fetchval(FINISH, job.id, token) is not None:
                await self._kind.give_up(tx, job, error)


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
        except INFRASTRUCTURE_ERRORS:
            raise
        except Exception:  # one of them; alone, each shows its own
            for row in rows:
                await self._fire_alone(row)
        return len(rows)

    async def _fire(self, rows: Sequence[Row]) -> int:
        """Fire those of these that no other process has in hand: their number."""
        async with self._app.db.transaction({row["organization_id"] for row in rows}) as tx:
            taken = await tx.fetch(TAKE_TIMERS, [row["id"] for row in rows])
            for row in taken:
                job = _job(row, self._kind.payload)
                with caused_span(f"{self._app.service.name} {job.kind}", job) as traced:
                    tx.caused_by(traced.cause)
                    await self._kind.fire(tx, traced)
            faults.reach("ringing")
        return len(taken)

    async def _fire_alone(self, row: Row) -> None:
        try:
            await self._fire([row])
        except INFRASTRUCTURE_ERRORS:
            raise
        except Exception as error:
            log.error("timer.failed", kind=self._kind.kind, org=str(row["organization_id"]), exc_info=error)
            await self._app.db.execute(DELAY_TIMER, row["id"], error_words(error))


async def wait_for_work(wake: asyncio.Event) -> None:
    """Until there is some of this kind, or the process stops."""
    await wake.wait()
    wake.clear()


async def watch(app: App) -> None:
    """Wake the loops of what has come due, by whichever process it was written, until the process stops.

    One question a second for all kinds: a loop that asked for itself would be one of twenty.
    """
    service = app.service
    kinds = [*(job.kind for job in service.jobs), *(timer.kind for timer in service.timers)]
    try:
        while not app.stopping.is_set():
            try:
                app.jobs_wake.set({row["kind"] for row in await app.db.fetch(DUE_KINDS, kinds)})
            except INFRASTRUCTURE_ERRORS as error:
                log.warning("jobs.unwatched", error=repr(error))
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await app.stopping.wait()
            except TimeoutError:
                pass
    finally:
        app.jobs_wake.set()


def _job(row: Row, payload: type[msgspec.Struct]) -> Job:
    interrupted = row.get("interrupted", False)
    return Job(
        id=row["id"],
        org=row["organization_id"],
        kind=row["kind"],
        key=row["key"],
        payload=msgspec.convert(row["payload"], payload),
        attempt=row["attempts"],
        interrupted=bool(interrupted),
        cause=msgspec.convert(row["cause"], Cause),
        leased_until=row["leased_until"] or row["due_at"],
    )
