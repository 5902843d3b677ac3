"""What earlier migrations bound and the service wants no more: its events would fill a queue that drops them.

Written down before anything is bound and struck out after it was unbound, so that a migration which dies between
the two is made good by the next.
"""

from collections.abc import Collection
from typing import Final

import asyncpg
from aio_pika.exceptions import ChannelNotFoundEntity

from flotilla.bus.connection import connect
from flotilla.bus.topology import EXCHANGE, bindings, queue_name
from flotilla.service import Service

Binding = tuple[str, str]
"""(queue, routing key)"""

NOTE: Final = """
INSERT INTO {bus}.declared_bindings (queue, routing_key) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT DO NOTHING"""
NOTED: Final = "SELECT queue, routing_key FROM {bus}.declared_bindings"
FORGET: Final = """
DELETE FROM {bus}.declared_bindings AS noted USING unnest($1::text[], $2::text[]) AS gone (queue, routing_key)
WHERE noted.queue = gone.queue AND noted.routing_key = gone.routing_key"""


async def note(connection: asyncpg.Connection, service: Service) -> set[Binding]:
    """Write down what the service wants; what it wanted before and does no more."""
    bus = f"{service.name}_bus"
    wanted = {
        (queue_name(service.name, lane), key) for lane, keys in bindings(service).items() for key in keys
    }
    await connection.execute(NOTE.format(bus=bus), *_columns(wanted))
    rows = await connection.fetch(NOTED.format(bus=bus))
    return {(row["queue"], row["routing_key"]) for row in rows} - wanted


async def unbind(amqp_url: str, stale: Collection[Binding]) -> None:
    """Have the broker bring no more of it; what stands in the queues stays, and so do lanes that are no more."""
    async with await connect(amqp_url) as connection:
        for queue, key in sorted(stale):
            channel = await connection.channel()
            try:
                await (await channel.get_queue(queue, ensure=False)).unbind(EXCHANGE, key)
            except ChannelNotFoundEntity:  # an operator has deleted the queue
                continue
            await channel.close()


async def forget(connection: asyncpg.Connection, service: Service, stale: Collection[Binding]) -> None:
    """Strike it out."""
    await connection.execute(FORGET.format(bus=f"{service.name}_bus"), *_columns(stale))


def _columns(found: Collection[Binding]) -> tuple[list[str], list[str]]:
    return [queue for queue, _ in found], [key for _, key in found]
