"""What stands in the broker: one topic exchange, one quorum queue a lane, exact bindings.

Declared for all services by `flotilla migrate`, before anything publishes, so that a mandatory message
always has a place to go. A dynamic tap's lane stands without bindings: its service binds while it runs.
"""

from collections.abc import Iterable
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel
from pamqp.common import FieldTable

from flotilla.bus import transient
from flotilla.bus.connection import connect
from flotilla.events.base import contract_of
from flotilla.replay import wire
from flotilla.replay.plan import rebuildable
from flotilla.service import Service

EXCHANGE: Final = "flotilla.events"
QUEUE_ARGUMENTS: Final[FieldTable] = {"x-queue-type": "quorum"}
REPLAY_ARGUMENTS: Final[FieldTable] = {**QUEUE_ARGUMENTS, "x-single-active-consumer": True}
"""One process of a service fills the shadow at a time, so that stretches come in order."""


def queue_name(service: str, lane: str) -> str:
    """The queue of a lane."""
    return f"{service}.{lane}"


def bindings(service: Service) -> dict[str, set[str]]:
    """Lane → the routing keys it takes."""
    found: dict[str, set[str]] = {lane.name: set() for lane in service.lanes}
    for handler in service.handlers:
        found[handler.lane].update(contract_of(type_).type for type_ in handler.types)
    if service.tap:
        keys = {contract_of(type_).type for type_ in service.tap.types}
        found[service.tap.lane].update(keys or (set() if service.tap.dynamic else {"#"}))
    return found


async def declare_all(amqp_url: str, services: Iterable[Service]) -> None:
    """Declare the exchange and every service's lanes; safe to repeat."""
    async with await connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        await transient.declare(channel)
        for service in services:
            await declare(channel, service)


async def declare(channel: AbstractChannel, service: Service) -> None:
    """Declare the lanes of one service, and the queue of its replays where it has projections to build anew."""
    if rebuildable(service):
        await channel.declare_queue(
            queue_name(service.name, wire.LANE), durable=True, arguments=REPLAY_ARGUMENTS
        )
    for lane, keys in bindings(service).items():
        queue = await channel.declare_queue(
            queue_name(service.name, lane), durable=True, arguments=QUEUE_ARGUMENTS
        )
        for key in sorted(keys):
            await queue.bind(EXCHANGE, key)
