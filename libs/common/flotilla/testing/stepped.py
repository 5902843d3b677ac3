"""All services in one process, moved step by step: what each piece of work costs, the same at each run.

No loop runs. `settle()` takes what waits in each lane as one batch, then does jobs, timers and the workers that follow
events, again and again until nothing moves; each is charged with what it asked of the stores. People reach the services
through the gateway, as ever.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from flotilla.app import App
from flotilla.bus.declare import Lane
from flotilla.bus.dispatch import Dispatcher
from flotilla.bus.jobs import JobLoop
from flotilla.bus.timers import TimerLoop
from flotilla.bus.topology import queue_name
from flotilla.instance import Instance
from flotilla.native.vhost import delete_vhost, ensure_vhost
from flotilla.process import opened
from flotilla.service import FLEET, load
from flotilla.store.documents import Documents
from flotilla.store.migrate import migrate_all
from flotilla.testing.bills import Bill, charged, counting_clients, watch
from flotilla.testing.harness import serving, settings_for
from flotilla.testing.isolation import drop_database
from flotilla.testing.ports import free_ports

FOLLOWS_EVENTS: Final = timedelta(seconds=15)
"""Workers that turn at least this often are part of what an event costs; the others keep house."""
CONNECTIONS: Final = 4
PUBLISHED_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Step:
    """Something that one service did, and its price."""

    service: str
    work: str
    """`lane inbound`, `job send`, `timer step_due`, `worker sealer`; `beside`: trips to Redis of what it opened."""
    events: int
    """Deliveries in the batch, jobs done; 1 for a timer's or a worker's turn."""
    bill: Bill


class SteppedFleet:
    """The thirteen services, and what they did since the last look."""

    def __init__(
        self, instance: Instance, opened: Sequence[tuple[App, Bill]], channel: AbstractChannel
    ) -> None:
        self.instance = instance
        self.apps = [app for app, _ in opened]
        self._beside = {app.service.name: bill for app, bill in opened}
        self._channel = channel
        self._steps: list[Step] = []
        self._loops = {app.service.name: _loops(app) for app in self.apps}

    @classmethod
    @asynccontextmanager
    async def running(cls, **overrides: str) -> AsyncIterator[Self]:
        """On stores of its own, gone afterwards; `overrides` are added to each service's environment."""
        name = f"t_{os.getpid()}_stepped"
        instance = Instance.load("test").with_isolation(
            database=name,
            vhost=name,
            documents_prefix=name,
            redis_index=253,
            service_ports=dict(zip(FLEET, free_ports(len(FLEET)), strict=True)),
            overrides=overrides,
        )
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_dropped, instance)
            await ensure_vhost(instance)
            await migrate_all(instance)
            stack.enter_context(counting_clients())
            all_opened = [await _opened(stack, instance, service) for service in FLEET]
            connection = await stack.enter_async_context(
                await aio_pika.connect(instance.amqp_url, timeout=10)
            )
            channel = await connection.channel()
            yield cls(instance, all_opened, channel)

    async def settle(self) -> list[Step]:
        """Move until nothing does: the steps since the last time."""
        while await self._round():
            pass
        steps, self._steps = self._steps, []
        for service, bill in self._beside.items():
            steps.append(Step(service, "beside", 1, Bill(redis=Counter(bill.redis))))
            bill.redis.clear()
        return steps

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[None]:
        """Move while something inside waits for an effect."""
        done = asyncio.Event()

        async def move() -> None:
            while not done.is_set():
                await self._round()

        task = asyncio.create_task(move())
        try:
            yield
        finally:
            done.set()
            await task

    async def _round(self) -> bool:
        before = len(self._steps)
        for app in self.apps:
            for lane in app.service.lanes:
                await self._take(app, lane)
            for work, loop in self._loops[app.service.name].items():
                await self._step(app, work, loop.turn)
        moved = len(self._steps) > before
        for app in self.apps:
            for worker in app.service.workers:
                if worker.every <= FOLLOWS_EVENTS:
                    await self._turn(app, f"worker {worker.name}", worker.run)
        return moved

    async def _take(self, app: App, lane: Lane) -> None:
        """One batch of what waits, handled and acknowledged as its consumer would."""
        queue = await self._channel.get_queue(queue_name(app.service.name, lane.name), ensure=False)
        taken: list[AbstractIncomingMessage] = []
        while len(taken) < lane.batch and (message := await queue.get(fail=False)) is not None:
            taken.append(message)
        if not taken:
            return
        handling = lane.handling(app) if lane.handling else Dispatcher(app, lane.name)
        with self._charged(app, f"lane {lane.name}", len(taken)):
            await handling.handle([message.body for message in taken])
        await app.relay.drained(PUBLISHED_SECONDS)
        await taken[-1].ack(multiple=True)

    async def _step(self, app: App, work: str, turn: Callable[[], Awaitable[int]]) -> None:
        """Jobs and timers; looking in vain is no step."""
        with charged() as bill:
            done = await turn()
        if done:
            self._steps.append(Step(app.service.name, work, done, bill))
            await app.relay.drained(PUBLISHED_SECONDS)

    async def _turn(self, app: App, work: str, run: Callable[[App], Awaitable[Any]]) -> None:
        with self._charged(app, work, 1):
            await run(app)
        await app.relay.drained(PUBLISHED_SECONDS)

    @contextmanager
    def _charged(self, app: App, work: str, events: int) -> Iterator[None]:
        with charged() as bill:
            yield
        self._steps.append(Step(app.service.name, work, events, bill))


def _loops(app: App) -> dict[str, JobLoop | TimerLoop]:
    jobs = {f"job {kind.kind}": JobLoop(app, kind) for kind in app.service.jobs}
    return jobs | {f"timer {kind.kind}": TimerLoop(app, kind) for kind in app.service.timers}


async def _opened(stack: AsyncExitStack, instance: Instance, name: str) -> tuple[App, Bill]:
    """One service: its stores, its way to the bus, its HTTP; no loops. The bill is of what it opens itself."""
    service = load(name)
    given = {"http_port": instance.service_ports[name], "postgres_connections": CONNECTIONS}
    with charged() as beside:
        app = await stack.enter_async_context(opened(service, settings_for(service, instance, given)))
    await watch(app.db.pool, CONNECTIONS)
    await app.known.read(app.db)
    relay = asyncio.create_task(app.relay.run())
    stack.callback(relay.cancel)
    await stack.enter_async_context(serving(app))
    return app, beside


async def _dropped(instance: Instance) -> None:
    await delete_vhost(instance)
    await drop_database(instance)
    for name in FLEET:
        if load(name).documents:
            documents = Documents.open(instance.documents_url, f"{instance.documents_prefix}_{name}")
            await documents.drop()
            await documents.close()
