"""Connections to the broker that are lost are made again: those that bind, and those that fill queues."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

import pytest
import yarl
from flotilla.bus.bindings import LaneBindings
from flotilla.bus.connection import BROKER_ERRORS
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually
from flotilla_integrations.own import own
from flotilla_integrations.partners.binding import LANE
from flotilla_integrations.partners.broker import Message, RabbitBroker

from services.integrations.tests.partners.conftest import Subscribe


@dataclass
class Way:
    """A way to the broker that can be cut."""

    url: str
    ends: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """Whoever is connected is so no more; others may connect again."""
        assert self.ends
        while self.ends:
            self.ends.pop().transport.abort()


@pytest.fixture
async def way(partners: Harness) -> AsyncIterator[Way]:
    """Between this process and the test's broker."""
    broker = yarl.URL(partners.instance.amqp_url)
    way = Way("")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(65536):
                writer.write(part)
                await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(broker.host, broker.port)
        way.ends += [writer, back]
        await asyncio.gather(carry(reader, back), carry(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    way.url = str(broker.with_port(server.sockets[0].getsockname()[1]))
    yield way
    way.cut()
    server.close()


async def test_a_lane_is_bound_after_the_connection_was_lost(way: Way) -> None:
    lane = LaneBindings(way.url, "integrations", LANE)
    await lane.bind(["note.created.v1"])
    way.cut()

    async def bound() -> bool:
        try:
            await lane.bind(["task.created.v1"])
        except BROKER_ERRORS:
            return False
        return True

    await eventually(bound)
    await lane.unbind(["note.created.v1", "task.created.v1"])
    await lane.close()


async def test_a_queue_is_filled_after_the_connection_was_lost(
    partners: Harness, way: Way, subscribe: Subscribe
) -> None:
    subscription_id = UUID((await subscribe(None, ["note.*"])).made["id"])
    known = own(partners.app).partners.broker
    assert isinstance(known, RabbitBroker)
    broker = RabbitBroker(known.http, known.admin_url, yarl.URL(way.url))
    message = Message(new_id(), "note.created.v1", 1, b"{}")
    assert await broker.publish(subscription_id, [message]) == [None]
    way.cut()

    async def filled() -> bool:
        return await broker.publish(subscription_id, [message, message]) == [None, None]

    await eventually(filled)
    await broker.close()
