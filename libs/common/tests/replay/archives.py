"""The archive's side of a replay, played by a test: what it sends, and when."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import aio_pika
import msgspec
from flotilla.bus.envelope import encode
from flotilla.bus.topology import queue_name
from flotilla.cause import Cause
from flotilla.events.base import Event
from flotilla.ids import PLATFORM_ORG, new_id
from flotilla.instance import Instance
from flotilla.replay import wire
from flotilla.replay.wire import Filter, Opening, Stretch

Told = tuple[Event, UUID, int]
"""An event, its organization and its sequence."""


class Archive:
    """Sends one replay's messages to a service."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, service: str) -> None:
        self.id = new_id()
        self.position = 0
        self._channel = channel
        self._service = service

    @classmethod
    @asynccontextmanager
    async def on(cls, instance: Instance, service: str) -> AsyncIterator["Archive"]:
        connection = await aio_pika.connect(instance.amqp_url, timeout=10)
        async with connection:
            yield cls(await connection.channel(), service)

    def another(self) -> "Archive":
        """Another replay of the same service."""
        return Archive(self._channel, self._service)

    async def open(self, *projections: str, org: UUID = PLATFORM_ORG, **wanted: object) -> None:
        opening = Opening(
            request_id=self.id,
            organization_id=org,
            service=self._service,
            projections=list(projections),
            filter=msgspec.convert(wanted, Filter),
            cause=Cause.fresh("service:test"),
        )
        await self.send(Stretch(id=self.id, opening=opening))

    async def tell(self, *told: Told, caught_up: bool = False, organizations: Sequence[UUID] = ()) -> Stretch:
        """A stretch with these events, at the positions that follow."""
        positions = list(range(self.position + 1, self.position + 1 + len(told)))
        stretch = Stretch(
            id=self.id,
            after=self.position,
            upto=self.position + len(told),
            events=[raw(*each) for each in told],
            positions=positions,
            organizations=sorted({org for _, org, _ in told} | set(organizations)),
            caught_up=caught_up,
        )
        self.position = stretch.upto
        await self.send(stretch)
        return stretch

    async def send(self, stretch: Stretch) -> None:
        """As it is."""
        message = aio_pika.Message(wire.encode(stretch), delivery_mode=2)
        await self._channel.default_exchange.publish(message, queue_name(self._service, wire.LANE))


def raw(data: Event, org: UUID, sequence: int) -> msgspec.Raw:
    """The event as its owner published it."""
    outgoing = encode(data, org=org, sequence=sequence, cause=Cause.fresh("service:test"), region="eu")
    return msgspec.Raw(outgoing.body)
