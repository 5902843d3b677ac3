"""The way in: one consumer a lane, batches by count or time, acknowledged in order once committed."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from flotilla.app import App
from flotilla.bus import faults
from flotilla.bus.connection import BROKER_ERRORS, INFRASTRUCTURE_ERRORS, close, connect
from flotilla.bus.declare import Lane
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.parked import (
    STARTS,
    SUSPECTED_AFTER,
    CrashedRepeatedlyError,
    begin_suspect,
    end_suspect,
    park_crashed,
)
from flotilla.bus.topology import queue_name
from flotilla.telemetry import metrics

log = structlog.get_logger()

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
        self.name = lane.name
        self.consuming = asyncio.Event()
        """Set while the broker delivers to this consumer."""

    async def run(self) -> None:
        """Consume until the process is told to stop; what is in hand is finished first."""
        pause = 0.1
        while not self._app.stopping.is_set():
            try:
                await self._consume()
                pause = 0.1
            except BROKER_ERRORS as error:
                log.warning("lane.disconnected", lane=self._lane.name, error=repr(error))
            finally:
                self.consuming.clear()
            if not self._app.stopping.is_set():
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, MAX_PAUSE)

    async def _consume(self) -> None:
        """Over one connection, until it is lost or the process stops."""
        queue: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        connection = await connect(self._app.settings.amqp_url.get_secret_value())
        try:
            channel = await connection.channel(publisher_confirms=False)
            channel.close_callbacks.add(lambda *_: queue.put_nowait(None))
            await channel.set_qos(prefetch_count=self._lane.batch * 2)
            source = await channel.get_queue(
                queue_name(self._app.service.name, self._lane.name), ensure=False
            )
            tag = await source.consume(queue.put)
            self.consuming.set()
            stopper = asyncio.create_task(self._stop_at_end(queue))
            try:
                await self._take_batches(channel, queue)
                if not channel.is_closed:
                    await source.cancel(tag)
            finally:
                stopper.cancel()
        finally:
            await close(connection)

    async def _stop_at_end(self, queue: "asyncio.Queue[AbstractIncomingMessage | None]") -> None:
        await self._app.stopping.wait()
        queue.put_nowait(None)

    async def _take_batches(
        self, channel: AbstractChannel, queue: "asyncio.Queue[AbstractIncomingMessage | None]"
    ) -> None:
        while (first := await queue.get()) is not None:
            batch, ended = await self._fill(queue, first)
            await self._handle(channel, batch)
            if ended or channel.is_closed or self._app.stopping.is_set():
                return

    async def _fill(
        self, queue: "asyncio.Queue[AbstractIncomingMessage | None]", first: AbstractIncomingMessage
    ) -> tuple[list[AbstractIncomingMessage], bool]:
        """The batch that begins with `first`, and whether the connection ended while it filled."""
        batch = [first]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._lane.wait.total_seconds()
        while len(batch) < self._lane.batch:
            if queue.empty():
                left = deadline - loop.time()
                if left <= 0:
                    break
                try:
                    message = await asyncio.wait_for(queue.get(), left)
                except TimeoutError:
                    break
            else:
                message = queue.get_nowait()
            if message is None:
                return batch, True
            batch.append(message)
        return batch, False

    async def _handle(self, channel: AbstractChannel, batch: list[AbstractIncomingMessage]) -> None:
        """Fresh events together, redelivered ones each alone; each part acknowledged once committed."""
        metrics.BATCH_SIZE.labels(self._lane.name).observe(len(batch))
        with metrics.BATCH_SECONDS.labels(self._lane.name).time():
            for part in _parts(batch):
                if not await self._handle_part(channel, part):
                    return
                faults.reach("handled")
                await part[-1].ack(multiple=True)

    async def _handle_part(self, channel: AbstractChannel, part: Sequence[AbstractIncomingMessage]) -> bool:
        """One that was delivered again and again is written down before it is begun: it may be what kills."""
        bodies = [message.body for message in part]
        if len(part) > 1 or _deliveries(part[0]) < SUSPECTED_AFTER:
            return await self._until_done(channel, lambda: self._dispatcher.handle(bodies))
        return await self._handle_suspect(channel, bodies[0])

    async def _handle_suspect(self, channel: AbstractChannel, body: bytes) -> bool:
        """Written down once for each delivery: a pause while a store is away is no death of the process."""
        starts = 0

        async def begin() -> None:
            nonlocal starts
            starts = await begin_suspect(self._app.db, body)

        async def handle() -> None:
            if starts > STARTS:  # stays written down: it may be delivered again before it is acknowledged
                error = CrashedRepeatedlyError(f"begun {STARTS} times, and the process died each time")
                await park_crashed(self._app, self._lane.name, body, error)
            else:
                await self._dispatcher.handle([body])

        async def end() -> None:
            if starts <= STARTS:
                await end_suspect(self._app.db, body)

        for step in (begin, handle):
            if not await self._until_done(channel, step):
                with contextlib.suppress(*INFRASTRUCTURE_ERRORS):
                    await end()
                return False
        return await self._until_done(channel, end)

    async def _until_done(self, channel: AbstractChannel, step: Callable[[], Awaitable[None]]) -> bool:
        """Do it, waiting out a store that is away; False where the channel was lost meanwhile."""
        pause, pauses = 0.1, 0
        while True:
            try:
                await step()
            except INFRASTRUCTURE_ERRORS as error:
                pauses += 1
                log.warning("lane.paused", lane=self._lane.name, error=repr(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, MAX_PAUSE)
                if channel.is_closed or self._app.stopping.is_set():
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


def _parts(batch: list[AbstractIncomingMessage]) -> list[list[AbstractIncomingMessage]]:
    """In the order of delivery: runs of fresh messages, and each redelivered one by itself."""
    parts: list[list[AbstractIncomingMessage]] = []
    for message in batch:
        fresh = not message.redelivered
        if parts and fresh and not parts[-1][-1].redelivered:
            parts[-1].append(message)
        else:
            parts.append([message])
    return parts


def _deliveries(message: AbstractIncomingMessage) -> int:
    """How often a quorum queue has delivered it before."""
    count = (message.headers or {}).get("x-delivery-count", 0)
    return int(count) if isinstance(count, int) else 0
