"""The archive read from a position: stretches on a queue of whoever asks, in order, and again from the cursor."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import aio_pika
import msgspec
import pytest
from flotilla.bus.envelope import decode
from flotilla.bus.topology import QUEUE_ARGUMENTS
from flotilla.events.analytics import ArchiveReadFailed, ArchiveReadFinished, ArchiveReadRequested
from flotilla.ids import new_id
from flotilla.replay import wire
from flotilla.replay.wire import Stretch
from flotilla.testing import Harness, eventually
from flotilla.testing.plugin import StartService
from flotilla_analytics.domain import persons
from flotilla_analytics.erasure import erase_person

from services.analytics.tests.conftest import Events

QUEUE = "analytics.test"
Ask = Callable[..., Awaitable[tuple[int, list[msgspec.Raw]]]]


@pytest.fixture(scope="module")
async def analytics(start_service: StartService) -> AsyncIterator[Harness]:
    async with start_service("analytics", elasticsearch_url="") as harness:
        yield harness


@pytest.fixture
async def ask(analytics: Harness, org: UUID) -> AsyncIterator[Ask]:
    """Ask for events: up to which position they were brought, and they."""
    connection = await aio_pika.connect(analytics.instance.amqp_url, timeout=10)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(QUEUE, durable=True, arguments=QUEUE_ARGUMENTS)

        async def asked(after: int = 0, **wanted: Any) -> tuple[int, list[msgspec.Raw]]:
            wish = ArchiveReadRequested(
                request_id=new_id(), reading_id=new_id(), queue=QUEUE, after=after, **wanted
            )
            await analytics.publish(wish, org=org)
            done = await analytics.spy.expect(
                ArchiveReadFinished, lambda event: event.data.reading_id == wish.reading_id
            )
            assert done.envelope.requestid == wish.request_id
            found: list[msgspec.Raw] = []
            cursor = after
            while cursor < done.data.position:
                stretch = await _next(queue)
                assert (stretch.id, stretch.after) == (wish.reading_id, cursor)
                assert stretch.positions == sorted(stretch.positions)
                found, cursor = [*found, *stretch.events], stretch.upto
            return cursor, found

        yield asked


async def _next(queue: aio_pika.abc.AbstractQueue) -> Stretch:
    async def get() -> aio_pika.abc.AbstractIncomingMessage | None:
        return await queue.get(no_ack=True, fail=False)

    message = await eventually(get, what="a stretch")
    assert message is not None
    return wire.decode(message.body)


async def archived(analytics: Harness, org: UUID, count: int) -> None:
    async def all_there() -> bool:
        sql = "SELECT count(*) FROM ledger WHERE organization_id = $1"
        return bool(await analytics.app.db.fetchval(sql, org) >= count)

    await eventually(all_there, what="archived")


async def test_ones_own_events_come_in_order_and_from_the_cursor(
    analytics: Harness, org: UUID, events: Events, ask: Ask
) -> None:
    ids = [await analytics.publish(events.company(), org=org) for _ in range(450)]
    await analytics.publish(events.company(), org=new_id())
    await archived(analytics, org, 450)
    cursor, found = await ask()
    told = [decode(bytes(raw)) for raw in found]
    assert {each.id for each in told if each.type == "company.created.v1"} == set(ids)
    assert {each.organizationid for each in told} == {org}
    assert len(told) == len({each.id for each in told})
    later = await analytics.publish(contact := events.contact(), org=org)

    async def sealed() -> bool:
        sql = "SELECT EXISTS (SELECT FROM ledger WHERE event_id = $1)"
        return bool(await analytics.app.db.fetchval(sql, later))

    await eventually(sealed, what="the later one is in the archive")
    _, rest = await ask(cursor, types=("contact.created.v1",))
    (only,) = [decode(bytes(raw)) for raw in rest]
    assert only.id == later
    assert only.subject == str(contact.contact_id)


async def test_what_is_personal_is_null_unless_asked_for_and_once_erased(
    analytics: Harness, org: UUID, events: Events, ask: Ask
) -> None:
    contact = events.contact(name="Ada Lovelace")
    await analytics.publish(contact, org=org)
    await archived(analytics, org, 1)

    async def name(**wanted: Any) -> object:
        _, (raw,) = await ask(types=("contact.created.v1",), **wanted)
        return msgspec.json.decode(decode(bytes(raw)).data)["name"]

    assert await name() is None
    assert await name(personal=True) == "Ada Lovelace"
    await erase_person(analytics.app, org, persons.reference("contact_id", contact.contact_id))
    assert await name(personal=True) is None


async def test_only_into_a_queue_of_ones_own_that_is_there(analytics: Harness, org: UUID) -> None:
    for queue, reason in (
        ("crm.replay", "crm.replay is no queue of analytics"),
        ("analytics.nowhere", "there is no queue analytics.nowhere"),
    ):
        wish = ArchiveReadRequested(request_id=new_id(), reading_id=new_id(), queue=queue)
        await analytics.publish(wish, org=org)
        id_ = wish.reading_id

        async def answered(id_: UUID = id_) -> list[str]:
            told = analytics.spy.of(ArchiveReadFailed)
            return [event.data.reason for event in told if event.data.reading_id == id_]

        assert await eventually(answered) == [reason]
