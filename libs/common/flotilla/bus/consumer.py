"""The way in: one consumer a lane, batches by count or time, acknowledged in order once committed."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Final, Protocol
from uuid import UUID

import structlog

from flotilla.app import App
from flotilla.bus import faults, suspects
from flotilla.bus.connection import BROKER_ERRORS, INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import Lane
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.pace import Pace
from flotilla.bus.parked import CrashedRepeatedlyError, event_id, park_crashed
from flotilla.bus.topology import queue_name
from flotilla.bus.wire.consumer import Consumer
from flotilla.bus.wire.reader import Delivery
from flotilla.telemetry import metrics

log = structlog.get_logger()

MIN_PAUSE: Final = 0.1
MAX_PAUSE: Final = 5.0
PATIENCE: Final = 20
"""Pauses in a row, more than a minute, after which a store that answers is not to blame: the event is."""


class Handling(Protocol):
    """What is done with a lane's batches; by default they are events, and go to the lane's handlers."""

    patient: bool
    """Whether a store that seems away is waited for."""

    async def handle(self, bodies: Sequence[bytes]) -> None:
        """Return when each of them is done; raise INFRASTRUCTURE_ERRORS to be called with the same ones again."""


class LaneConsumer:
    """Consumes one lane until stopped, through restarts of the broker and of the stores."""

    def __init__(self, app: App, lane: Lane, handling: Handling | None = None) -> None:
        self._app = app
        self._lane = lane
        self._dispatcher: Handling = handling or Dispatcher(app, lane.name)
        self._pace = Pace(lane.wait.total_seconds(), lane.busy_wait.total_seconds())
        self.name = lane.name
        self.consuming = asyncio.Event()
        """Set while the broker delivers to this consumer."""

    async def run(self) -> None:
        """Consume until the process is told to stop; what is in hand is finished first."""
        pause = MIN_PAUSE
        while not self._app.stopping.is_set():
            try:
                await self._consume()
                pause = MIN_PAUSE
            except BROKER_ERRORS as error:
                log.warning("lane.disconnected", lane=self._lane.name, error=repr(error))
                if self.consuming.is_set():  # it had worked
                    pause = MIN_PAUSE
            finally:
                self.consuming.clear()
            if not self._app.stopping.is_set():
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, MAX_PAUSE)

    async def _consume(self) -> None:
        """Over one connection, until it is lost or the process stops."""
        consumer = await Consumer.open(
            self._app.settings.amqp_url.get_secret_value(),
            queue_name(self._app.service.name, self._lane.name),
            prefetch=self._lane.batch * 2,
        )
        self.consuming.set()
        stopper = asyncio.create_task(self._stop_at_end(consumer))
        try:
            while not self._app.stopping.is_set():
                batch = await consumer.batch(self._lane.batch, self._pace.seconds)
                self._pace.took(len(batch))
                if batch:
                    await self._handle(consumer, batch)
        finally:
            stopper.cancel()
            await consumer.close()

    async def _stop_at_end(self, consumer: Consumer) -> None:
        await self._app.stopping.wait()
        consumer.stop()

    async def _handle(self, consumer: Consumer, batch: list[Delivery]) -> None:
        """Fresh events and redelivered ones apart; each part acknowledged once committed."""
        metrics.BATCH_SIZE.labels(self._lane.name).observe(len(batch))
        with metrics.BATCH_SECONDS.labels(self._lane.name).time():
            for again, part in groupby(batch, key=lambda delivery: delivery.before > 0):
                handle = self._handle_again if again else self._handle_fresh
                if not await handle(consumer, list(part)):
                    return

    async def _handle_fresh(self, consumer: Consumer, part: Sequence[Delivery]) -> bool:
        bodies = [delivery.body for delivery in part]
        if not await self._until_done(consumer, lambda: self._dispatcher.handle(bodies)):
            return False
        _acknowledge(consumer, part)
        return True

    async def _handle_again(self, consumer: Consumer, part: Sequence[Delivery]) -> bool:
        """Together, but for those that were begun before and not ended: one of them may be what kills."""
        ids = [event_id(delivery.body) for delivery in part]
        starts: dict[UUID, int] = {}

        async def look() -> None:
            starts.update(await suspects.known(self._app.db, ids))

        if not await self._until_done(consumer, look):
            return False
        for group in suspects.groups(ids, starts):
            bodies = [delivery.body for delivery in part[group]]
            if not await self._handle_suspects(consumer, ids[group], bodies):
                return False
            _acknowledge(consumer, part[group])
        return True

    async def _handle_suspects(
        self, consumer: Consumer, ids: Sequence[UUID], bodies: Sequence[bytes]
    ) -> bool:
        """Written down once for each delivery: a pause while a store is away is no death of the process."""
        guilty = False

        async def begin() -> None:
            nonlocal guilty
            starts = await suspects.begin(self._app.db, ids)
            guilty = len(bodies) == 1 and starts[ids[0]] > suspects.STARTS

        async def handle() -> None:
            if guilty:  # stays written down: it may be delivered again before it is acknowledged
                error = CrashedRepeatedlyError("the process died each time that it was begun")
                await park_crashed(self._app, self._lane.name, bodies[0], error)
            else:
                await self._dispatcher.handle(bodies)

        async def end() -> None:
            if not guilty:
                await suspects.end(self._app.db, ids)

        for step in (begin, handle):
            if not await self._until_done(consumer, step):
                with contextlib.suppress(*INFRASTRUCTURE_ERRORS):
                    await end()
                return False
        return await self._until_done(consumer, end)

    async def _until_done(self, consumer: Consumer, step: Callable[[], Awaitable[None]]) -> bool:
        """Do it, waiting out a store that is away; False where the connection was lost meanwhile."""
        pause, pauses = MIN_PAUSE, 0
        while True:
            try:
                await step()
            except INFRASTRUCTURE_ERRORS as error:
                pauses += 1
                log.warning("lane.paused", lane=self._lane.name, error=repr(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, MAX_PAUSE)
                if consumer.error is not None or self._app.stopping.is_set():
                    return False
                self._dispatcher.patient = pauses < PATIENCE or not await self._stores_answer()
            else:
                self._dispatcher.patient = True
                return True

    async def _stores_answer(self) -> bool:
        try:
            async with asyncio.timeout(MAX_PAUSE):
                await self._app.db.fetchval("SELECT 1")
                if self._app.documents is not None:
                    await self._app.documents.ping()
                if self._app.redis is not None:
                    await self._app.redis.ping()
        except INFRASTRUCTURE_ERRORS:
            return False
        return True


def _acknowledge(consumer: Consumer, part: Sequence[Delivery]) -> None:
    faults.reach("handled")
    consumer.acknowledge(part[-1])
