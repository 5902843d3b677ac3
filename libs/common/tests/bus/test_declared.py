"""A handler is removed: the next migration has the broker bring its events no more."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace

import aio_pika
import pytest
from flotilla.bus.topology import EXCHANGE, queue_name
from flotilla.ids import new_id
from flotilla.instance import Instance
from flotilla.native.vhost import delete_vhost, ensure_vhost
from flotilla.service import Service
from flotilla.store.migrate import migrate_all
from flotilla.testing.isolation import drop_database

from libs.common.tests.bus.workshop import obey, remark, send_out, service, welcome

TASK, CONTACT = "task.created.v1", "contact.created.v1"


@pytest.fixture
async def instance() -> AsyncIterator[Instance]:
    name = f"t_{os.getpid()}_declared_{new_id().hex[-4:]}"
    own = Instance.load("test").with_isolation(database=name, vhost=name)
    await ensure_vhost(own)
    yield own
    await delete_vhost(own)
    await drop_database(own)


async def brought(instance: Instance, *keys: str) -> dict[str, int]:
    """How many messages each lane has after one of each of these was published."""
    async with await aio_pika.connect(instance.amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE)
        for key in keys:
            await exchange.publish(aio_pika.Message(b"{}", delivery_mode=2), key, mandatory=False)
        found = {}
        for lane in service.lanes:
            queue = await channel.get_queue(queue_name("crm", lane.name))
            found[lane.name] = 0
            while await queue.get(no_ack=True, fail=False):
                found[lane.name] += 1
        return found


async def migrated(instance: Instance, changed: Service) -> None:
    await migrate_all(instance, (changed,))


async def test_what_nothing_handles_is_unbound_and_the_rest_stays(instance: Instance) -> None:
    await migrated(instance, service)
    assert await brought(instance, TASK, CONTACT) == {"work": 1, "arrivals": 1, "errands": 0}
    await migrated(instance, replace(service, handlers=(welcome, send_out)))
    assert await brought(instance, TASK, CONTACT) == {"work": 0, "arrivals": 1, "errands": 0}
    await migrated(instance, service)
    assert await brought(instance, TASK, CONTACT) == {"work": 1, "arrivals": 1, "errands": 0}


async def test_a_handler_that_moves_takes_its_events_along(instance: Instance) -> None:
    await migrated(instance, service)
    moved = (replace(obey, lane="errands"), replace(remark, lane="errands"), welcome, send_out)
    await migrated(instance, replace(service, handlers=moved))
    assert await brought(instance, TASK) == {"work": 0, "arrivals": 0, "errands": 1}


async def test_a_lane_that_somebody_deleted_holds_up_nothing(instance: Instance) -> None:
    await migrated(instance, service)
    async with await aio_pika.connect(instance.amqp_url) as connection:
        await (await connection.channel()).queue_delete("crm.work")
    fewer = replace(service, handlers=(welcome, send_out), lanes=service.lanes[1:])
    await migrated(instance, fewer)
    await migrated(instance, service)
    assert await brought(instance, TASK, CONTACT) == {"work": 1, "arrivals": 1, "errands": 0}


async def test_what_a_service_bound_at_run_time_is_its_own(instance: Instance) -> None:
    await migrated(instance, service)
    async with await aio_pika.connect(instance.amqp_url) as connection:
        channel = await connection.channel()
        await (await channel.get_queue("crm.errands")).bind(EXCHANGE, CONTACT)
    await migrated(instance, service)
    assert await brought(instance, CONTACT) == {"work": 0, "arrivals": 1, "errands": 1}
