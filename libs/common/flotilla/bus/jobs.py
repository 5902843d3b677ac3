"""Leased work: rows in `jobs`, done by worker loops, by the database's clock.

A job is leased, its outside work awaited without a transaction, its result committed together with the
removal of the row, and only by the lease's holder: where a lease was lost meanwhile, the second commit fails
and changes nothing. A process that dies leaves a lease that runs out; the next attempt is told of it
(`Job.interrupted`), because the outside may have been reached. Whoever waits for the same rows as a request gives way
to it (flotilla.store.collisions).
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from flotilla.app import App
from flotilla.bus import faults
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import LEASE_MARGIN, Job, JobKind, RetryLater
from flotilla.bus.parked import delay_after, error_words
from flotilla.cause import Cause, current_cause
from flotilla.ids import new_id
from flotilla.store.collisions import COLLISIONS, GIVES_WAY
from flotilla.store.postgres import Row, Transaction
from flotilla.telemetry import metrics
from flotilla.telemetry.traces import caused_span

log = structlog.get_logger()

POLL_SECONDS: Final = 1.0
ENDS: Final = 20
"""How often the end of a job is tried that others are in the way of; it waits half a second each time."""
PAUSE: Final = 0.1

LEASE: Final = """
WITH due AS (
    SELECT id, leased_until IS NOT NULL AS interrupted FROM jobs
    WHERE kind = $1 AND due_at <= now() AND (leased_until IS NULL OR leased_until < now())
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
UPDATE jobs SET leased_until = now() + $3, lease_token = $4, attempts = attempts + 1
FROM due WHERE jobs.id = due.id
RETURNING jobs.*, due.interrupted"""

FINISH: Final = f"DELETE FROM jobs WHERE id = $1 AND lease_token = $2 RETURNING id, {GIVES_WAY}"  # noqa: S608
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
            return job_of(row, self._kind.payload)
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
                    await self._end(traced, token, lambda tx: self._kind.finish(tx, traced, result))
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

    async def _end(self, job: Job, token: UUID, end: Callable[[Transaction], Awaitable[None]]) -> None:
        """Its row goes with `end`, tried again where it gave way: what was done outside is not done twice for that."""
        for tries_left in reversed(range(ENDS)):
            try:
                async with self._app.db.transaction(job.org, cause=job.cause) as tx:
                    if await tx.fetchval(FINISH, job.id, token) is None:
                        raise LeaseLostError
                    await end(tx)
                return
            except COLLISIONS as error:
                if not tries_left:
                    raise
                log.info("job.gave_way", kind=job.kind, key=job.key, error=type(error).__name__)
                await asyncio.sleep(PAUSE * random.uniform(0.5, 1))

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
        with contextlib.suppress(LeaseLostError):
            await self._end(job, token, lambda tx: self._kind.give_up(tx, job, error))


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
            await app.pause(POLL_SECONDS)
    finally:
        app.jobs_wake.set()


def job_of(row: Row, payload: type[msgspec.Struct]) -> Job:
    """The row with its payload decoded; msgspec.ValidationError where it breaks its type."""
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
