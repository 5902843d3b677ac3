"""Bindings that come and go while a service runs: what a dynamic tap's lane takes.

`flotilla migrate` declares such a lane without bindings. Binding and unbinding are idempotent and belong to the
queue, which all replicas share: one of them does it for all. The service remembers in its database which types it
wants, and binds them again at its start: a broker that was set up anew knows of none.
"""

import asyncio
from collections.abc import Iterable

from aio_pika.abc import AbstractConnection

from flotilla.bus.connection import close, connect
from flotilla.bus.topology import EXCHANGE, queue_name
from flotilla.outside import forbid_in_transaction


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
