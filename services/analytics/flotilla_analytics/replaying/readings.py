"""The job that sends the archive in stretches: published, confirmed, and then the cursor saved behind them.

A process that dies in between has sent a stretch that the next one sends again; who takes them knows by the position.
A reading for a replay follows the archive until the service has answered, so that events that are archived late
come too; any other ends where the archive does.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from flotilla.app import App
from flotilla.bus.connection import BROKER_ERRORS, INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import Job, JobKind, RetryLater
from flotilla.events.analytics import ArchiveReadFailed, ArchiveReadFinished
from flotilla.replay.wire import Stretch
from flotilla.store.postgres import Transaction

from flotilla_analytics.replaying.openings import AWAY, NEVER_MIND
from flotilla_analytics.replaying.queues import NoSuchQueueError, Queue
from flotilla_analytics.replaying.stretches import Reading, next_stretch
from flotilla_analytics.store import ledger, replays

log = structlog.get_logger()

KIND: Final = "archive.read"
LEASE: Final = timedelta(seconds=60)
TURN_SECONDS: Final = 40.0
POLL_SECONDS: Final = 0.2
SIGN_SECONDS: Final = 60.0
"""The service fails a replay of which it hears nothing for much longer than this."""
TRIES: Final = 5


@dataclass(frozen=True)
class Ended:
    """What came of a reading."""

    position: int
    failed: str | None = None


class NotArchivedError(RuntimeError):
    """Events that should be in the archive are parked before it."""


class Turn:
    """One process's turn at a reading."""

    def __init__(self, app: App, job: Job, queue: Queue) -> None:
        self._app = app
        self._org = job.org
        self._reading: Reading = job.payload
        self._queue = queue
        self._goal: int | None = None
        """Everything up to here was in the archive when the service began, or hid something that was."""
        self._caught_up = False
        self._sign_due = time.monotonic() + SIGN_SECONDS

    async def take(self) -> Ended:
        """Send until there is no more, or the replay has ended; RetryLater when the turn is over."""
        reading, ends = self._reading, time.monotonic() + TURN_SECONDS
        cursor = max(reading.after, await ledger.read_cursor(self._app.db, reading.cursor))
        while time.monotonic() < ends and not self._app.stopping.is_set():
            if await self._is_over():
                return Ended(cursor)
            if await self._queue.full():
                await asyncio.sleep(POLL_SECONDS)
                continue
            stretch = await next_stretch(self._app, reading, cursor)
            if stretch is not None:
                await self._send(stretch)
                cursor = stretch.upto
            elif not reading.replay:
                return Ended(cursor)
            else:
                await asyncio.sleep(POLL_SECONDS)
            await self._say_how_far(cursor)
        raise RetryLater(timedelta(), "goes on in the next turn")

    async def _send(self, stretch: Stretch) -> None:
        await self._queue.send(stretch)
        self._sign_due = time.monotonic() + SIGN_SECONDS
        async with self._app.db.transaction([]) as tx:
            await tx.execute(ledger.SET_CURSOR, self._reading.cursor, stretch.upto)

    async def _is_over(self) -> bool:
        if not self._reading.replay:
            return False
        async with self._app.db.transaction(self._org) as tx:
            return await replays.ended(tx, self._org, self._reading.id)

    async def _say_how_far(self, cursor: int) -> None:
        """Tell the service once it has everything; and that we are still here."""
        if not self._reading.replay:
            return
        if not self._caught_up and await self._has_everything(cursor):
            self._caught_up = True
            await self._queue.send(Stretch(id=self._reading.id, after=cursor, upto=cursor, caught_up=True))
        elif time.monotonic() > self._sign_due:
            self._sign_due = time.monotonic() + SIGN_SECONDS
            await self._queue.send(Stretch(id=self._reading.id, after=cursor, upto=cursor))

    async def _has_everything(self, cursor: int) -> bool:
        """Past the place where the service began, and past what was sealed by the time we got there: a newer state
        that hid an older one is no further than that."""
        if self._goal is None:
            async with self._app.db.transaction(self._org) as tx:
                begun = await replays.marker(tx, self._org, self._reading.id)
            if begun is None or cursor < begun:
                return False
            self._goal = int(await self._app.db.fetchval(replays.HEAD))
        if cursor < self._goal:
            return False
        await self._refuse_holes()
        return True

    async def _refuse_holes(self) -> None:
        types = sorted({type_ for group in self._reading.newest_of for type_ in group})
        wanted = types or list(self._reading.filter.types)
        missing = await self._app.db.fetchval(
            replays.UNARCHIVED, wanted, list(self._reading.filter.organizations)
        )
        if missing:
            raise NotArchivedError(f"{missing} events of these types are parked before the archive")


async def perform(app: App, job: Job) -> Ended:
    """A turn. What cannot be read ends the replay where it is done, and the reading here."""
    reading: Reading = job.payload
    try:
        async with Queue.on(app.settings.amqp_url.get_secret_value(), reading.queue) as queue:
            try:
                return await Turn(app, job, queue).take()
            except (RetryLater, NoSuchQueueError, *BROKER_ERRORS, *INFRASTRUCTURE_ERRORS):
                raise
            except Exception as error:
                if not isinstance(error, NotArchivedError) and job.attempt < TRIES:
                    raise
                log.error("reading.failed", reading=str(reading.id), exc_info=error)
                reason = str(error) if isinstance(error, NotArchivedError) else "the archive cannot be read"
                if reading.replay:
                    await queue.send(Stretch(id=reading.id, abort=reason))
                return Ended(0, failed=reason)
    except NoSuchQueueError as error:
        return Ended(0, failed=str(error))
    except (*BROKER_ERRORS, *INFRASTRUCTURE_ERRORS) as error:
        raise RetryLater(AWAY, "the broker or a store is away") from error


async def finish(tx: Transaction, job: Job, ended: Ended) -> None:
    """Answer who asked; of a replay the service does."""
    reading: Reading = job.payload
    await tx.execute(ledger.FORGET_CURSOR, reading.cursor)
    if reading.replay:
        return
    if ended.failed is not None:
        failed = ArchiveReadFailed(request_id=reading.request_id, reading_id=reading.id, reason=ended.failed)
        tx.emit(failed, org=job.org, sequence=1)
        return
    done = ArchiveReadFinished(request_id=reading.request_id, reading_id=reading.id, position=ended.position)
    tx.emit(done, org=job.org, sequence=1)


async def give_up(tx: Transaction, job: Job, error: Exception) -> None:
    """Not in a lifetime."""
    await finish(tx, job, Ended(0, failed="the archive cannot be read"))


job = JobKind(KIND, Reading, perform, finish, give_up, lease=LEASE, attempts=NEVER_MIND, concurrency=4)
