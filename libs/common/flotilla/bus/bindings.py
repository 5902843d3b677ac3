"""Bindings that come and go while a service runs: what a dynamic tap's lane takes.

`flotilla migrate` declares such a lane without bindings. Binding and unbinding are idempotent and belong to the
queue, which all replicas share: one of them does it for all. The service remembers in its database which types it
wants, and binds them again at its start: a broker that was set up anew knows of none.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog
from aio_pika.abc import AbstractConnection

from flotilla.bus.connection import close, connect
from flotilla.bus.topology import EXCHANGE, queue_name
from flotilla.outside import forbid_in_transaction

log = structlog.get_logger()


class LaneBindings:
    """Binds and unbinds event types of one lane, over a connection that is made when it is first needed."""

    def __init__(self, amqp_url: str, service: str, lane: str) -> None:
        self._url = amqp_url
        self._queue = queue_name(service, lane)
        self._connection: AbstractConnection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def bind(self, types: Iterable[str]) -> None:
        """Events of these types come to the lane from here on; BROKER_ERRORS where the broker is away."""
        await self._change(sorted(types), bind=True)

    async def unbind(self, types: Iterable[str]) -> None:
        """They come no more; what stands in the queue stays."""
        await self._change(sorted(types), bind=False)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            await close(self._connection)

    async def _change(self, types: list[str], *, bind: bool) -> None:
        if not types:
            return
        forbid_in_transaction("the broker")
        async with self._one_at_a_time:
            # `is_closed` tells of our own closing only, not of a broker's that went away.
            if self._connection is None or not self._connection.connected.is_set():
                self._connection = await connect(self._url)
            channel = await self._connection.channel(publisher_confirms=False)
            try:
                queue = await channel.get_queue(self._queue, ensure=False)
                for type_ in types:
                    await (queue.bind(EXCHANGE, type_) if bind else queue.unbind(EXCHANGE, type_))
            finally:
                await channel.close()


class Following:
    """Has a process bind again what another of its service committed: binding twice costs nothing, and mends what an
    unbinding at the same moment undid. `bind` does it, and is called until cancelled."""

    def __init__(self, lane: str, bind: Callable[[], Awaitable[None]]) -> None:
        self._lane = lane
        self._bind = bind
        self._changed = asyncio.Event()

    def heard(self, _: str = "") -> None:
        """What is wanted has changed somewhere; the payload of a NOTIFY does not matter."""
        self._changed.set()

    async def run(self) -> None:
        """Bind after each change."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._bind()
            except Exception as error:  # whatever it is, the worker's next turn does it
                log.warning("bindings.behind", lane=self._lane, error=repr(error))
