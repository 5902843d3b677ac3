"""Events that are worth something now or never."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from flotilla.bus.envelope import Received
from flotilla.bus.transient import Transient
from flotilla.events.transient import ChannelTyping
from flotilla.ids import new_id
from flotilla.testing import Harness, eventually


def typing() -> ChannelTyping:
    return ChannelTyping(account_id=new_id(), channel="generic", identity_id=new_id())


async def test_every_process_hears_it_and_of_those_that_share_one(synthetic: Harness, org: UUID) -> None:
    each: list[list[UUID]] = [[], []]
    shared: list[UUID] = []

    async def hear_first(event: Received[Any]) -> None:
        each[0].append(event.data.identity_id)

    async def hear_second(event: Received[Any]) -> None:
        each[1].append(event.data.identity_id)

    async def hear_shared(event: Received[Any]) -> None:
        shared.append(event.data.identity_id)

    transient = synthetic.app.transient
    listeners = [
        asyncio.create_task(transient.hear((ChannelTyping,), hear_first)),
        asyncio.create_task(transient.hear((ChannelTyping,), hear_second)),
        asyncio.create_task(transient.hear((ChannelTyping,), hear_shared, shared=True)),
        asyncio.create_task(transient.hear((ChannelTyping,), hear_shared, shared=True)),
    ]
    told: list[UUID] = []

    async def all_hear() -> bool:
        event = typing()
        assert await transient.tell(event, org=org)
        told.append(event.identity_id)
        return all(told[-2:-1] == heard[-1:] for heard in each) and bool(shared)

    await eventually(all_hear, what="all listen")
    shared.clear()
    events = [typing() for _ in range(10)]
    for event in events:
        await transient.tell(event, org=org)
    wanted = [event.identity_id for event in events]

    async def heard() -> bool:
        mine = [id_ for id_ in shared if id_ in wanted]
        return all(wanted == list_[-10:] for list_ in each) and sorted(mine) == sorted(wanted)

    await eventually(heard, what="each heard all, those that share each one")
    for listener in listeners:
        listener.cancel()


async def test_nothing_of_it_is_kept(synthetic: Harness, org: UUID) -> None:
    async with synthetic.app.db.transaction(org) as tx:
        with pytest.raises(ValueError, match="transient"):
            tx.emit(typing(), org=org, sequence=1)


async def test_a_broker_that_is_away_loses_it_and_nobody_waits(org: UUID) -> None:
    nowhere = Transient("amqp://guest:guest@127.0.0.1:9/", service="test", region="eu")
    assert not await nowhere.tell(typing(), org=org)
