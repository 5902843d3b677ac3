"""Queues: read by a program that knows the contracts folder alone, and its credentials open nothing else."""

import asyncio
import json
import sys
from typing import Any
from uuid import UUID

import aio_pika
import pytest
import yarl
from aiormq.exceptions import AMQPError, ChannelAccessRefused
from flotilla.ids import new_id
from flotilla.instance import project_root
from flotilla.testing import Harness, eventually
from flotilla_integrations.own import own
from flotilla_integrations.partners.broker import POLICY, RabbitBroker

from services.integrations.tests.partners.conftest import Subscribe, Subscribed, company, message

CLIENT = project_root() / "tests" / "contracts" / "partner_client.py"


def url_of(subscribed: Subscribed, secret: str | None = None) -> str:
    """As the partner's program connects."""
    queue = subscribed.made["queue"]
    address = yarl.URL(queue["address"]).with_user(queue["username"])
    return str(address.with_password(secret or subscribed.made["secret"]).with_path(f"/{queue['vhost']}"))


async def read(subscribed: Subscribed, count: int) -> list[dict[str, Any]]:
    """What a plain client reads and finds to be as the contracts say."""
    queue = subscribed.made["queue"]["queue"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CLIENT),
        url_of(subscribed),
        queue,
        str(project_root() / "contracts"),
        str(count),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


async def test_a_plain_client_reads_its_own_as_the_contracts_say(
    partners: Harness, org: UUID, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(None, ["company.*", "message.received.v1"])
    stranger = new_id()
    theirs = await subscribe(None, ["company.*"], by=partners.client(stranger))
    sent = [
        await partners.publish(company("Kite"), org=org, audience="org"),
        await partners.publish(message("secret"), org=org, audience="org"),
    ]
    foreign = await partners.publish(company("Harbour"), org=stranger, audience="org")
    events = await read(subscribed, 2)
    assert {event["id"] for event in events} == {str(id_) for id_ in sent}
    written = next(event for event in events if event["type"] == "message.received.v1")
    assert (written["data"]["text"], written["data"]["sender"]) == (None, None)
    assert [event["id"] for event in await read(theirs, 1)] == [str(foreign)]
    assert [each["status"] for each in await subscribed.logged("delivered", 2)] == [None, None]


async def test_credentials_open_nothing_else(partners: Harness, subscribe: Subscribe) -> None:
    subscribed = await subscribe(None, ["company.*"])
    other = await subscribe(None, ["company.*"])
    own_queue, others = (each.made["queue"]["queue"] for each in (subscribed, other))
    async with await aio_pika.connect(url_of(subscribed), timeout=10) as connection:

        async def refused(act: Any) -> None:
            channel = await connection.channel()
            with pytest.raises(ChannelAccessRefused):
                await act(channel)

        async def ignore(_: Any) -> None: ...

        async def consume_others(channel: Any) -> None:
            queue = await channel.get_queue(others, ensure=False)
            await queue.consume(ignore)

        async def get_from_others(channel: Any) -> None:
            await (await channel.get_queue(others, ensure=False)).get(fail=False)

        async def publish_to_own(channel: Any) -> None:
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), own_queue)

        async def publish_to_an_exchange(channel: Any) -> None:
            exchange = await channel.get_exchange("amq.topic", ensure=False)
            await exchange.publish(aio_pika.Message(b"{}"), "x")

        async def bind_own(channel: Any) -> None:
            await (await channel.get_queue(own_queue, ensure=False)).bind("amq.topic", "#")

        async def purge_others(channel: Any) -> None:
            await (await channel.get_queue(others, ensure=False)).purge()

        for act in (
            consume_others,
            get_from_others,
            publish_to_own,
            publish_to_an_exchange,
            bind_own,
            purge_others,
            lambda channel: channel.declare_queue(exclusive=True),
            lambda channel: channel.declare_queue("another", durable=True),
            lambda channel: channel.declare_exchange("another"),
            lambda channel: channel.queue_delete(own_queue),
        ):
            await refused(act)
    for vhost in (partners.instance.vhost, "%2F", "flotilla"):
        with pytest.raises((AMQPError, ConnectionError)):
            await aio_pika.connect(str(yarl.URL(url_of(subscribed)).with_path(f"/{vhost}")), timeout=5)


async def test_a_new_password_and_an_end(partners: Harness, org: UUID, subscribe: Subscribe) -> None:
    subscribed = await subscribe(None, ["company.*"])
    new = (await subscribed.do("rotate-secret"))["secret"]

    async def opens(secret: str) -> bool:
        try:
            await (await aio_pika.connect(url_of(subscribed, secret), timeout=5)).close()
        except (AMQPError, ConnectionError):
            return False
        return True

    await eventually(lambda: opens(new))
    assert not await opens(subscribed.made["secret"])
    connection = await aio_pika.connect(url_of(subscribed, new), timeout=10)
    assert (await subscribed.admin.delete(subscribed.path)).status == 204

    async def shut() -> bool:
        return not connection.connected.is_set() and not await opens(new)

    await eventually(shut, what="who was connected is not any more")
    assert await _depth(partners, subscribed) is None


async def test_a_queue_that_was_lost_is_made_again_and_filled(
    partners: Harness, org: UUID, subscribe: Subscribe
) -> None:
    subscribed = await subscribe(None, ["company.*"])
    queues = own(partners.app).partners.broker
    await queues.remove(UUID(subscribed.made["id"]))
    event_id = await partners.publish(company(), org=org, audience="org")
    await subscribed.logged("delivered")
    assert [event["id"] for event in await read(subscribed, 1)] == [str(event_id)]


async def test_a_queue_that_nobody_reads_fills_no_disk_and_loses_nothing(
    partners: Harness, org: UUID, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = {**POLICY["definition"], "max-length": 3}
    monkeypatch.setitem(POLICY, "definition", definition)
    subscribed = await subscribe(None, ["company.*"])
    sent: set[str] = set()

    async def stuck() -> bool:
        # The broker sees that a queue is full a moment later: one after the other.
        sent.add(str(await partners.publish(company(), org=org, audience="org")))
        waiting = await subscribed.log("?state=waiting")
        return any(each["error"] == "The queue is full." for each in waiting)

    async def failing() -> bool:
        return (await subscribed.read())["failing_since"] is not None

    await eventually(stuck)
    await eventually(failing, what="a turn in which nothing was taken")
    events = await read(subscribed, len(sent))
    assert {event["id"] for event in events} == sent
    await subscribed.logged("delivered", len(sent))
    assert (await subscribed.read())["failing_since"] is None


async def _depth(partners: Harness, subscribed: Subscribed) -> int | None:
    """Messages in the queue; None where there is none."""
    queues = own(partners.app).partners.broker
    assert isinstance(queues, RabbitBroker)
    try:
        connection = await queues._connected()
        channel = await connection.channel()
        queue = await channel.declare_queue(subscribed.made["queue"]["queue"], passive=True)
    except AMQPError:
        return None
    return queue.declaration_result.message_count
