"""The real services, two replicas of each: killed, restarted one after the other, their servers crashed, under load.

Each customer's message has each of its effects once, from the webhook to the draft, the live feed and the archive.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from flotilla.service import FLEET

from tests.chaos.fleets import Customers, Pair, customers_of, pair_of_fleets, read
from tests.chaos.history import judge

SERVERS: Final = ("redis", "documents", "rabbitmq", "postgres")
WAY: Final = ("gateway", "integrations", "messaging", "crm", "ai", "websocket", "analytics")
"""Those that a message passes through."""
LOOK_SECONDS: Final = 1.0


@pytest.fixture
async def pair(tmp_path: Path, long: bool) -> AsyncIterator[Pair]:
    async with pair_of_fleets(tmp_path, FLEET if long else WAY) as started:
        yield started


async def test_a_fleet_that_is_restarted_killed_and_robbed_of_its_servers(pair: Pair, long: bool) -> None:
    async with customers_of(pair) as customers:
        async with customers.writing():
            await customers.more()
            for service in FLEET if long else WAY:
                for replica in (0, 1) if long else (0,):
                    await pair.restart(service, replica)
            await customers.more()
            assert not customers.failures, "a rolling restart fails no request"
            for service in FLEET if long else ():
                await pair.kill(service)
                await customers.more()
            for server in SERVERS if long else SERVERS[:2]:
                await pair.crash(server)
                await customers.more()
        await _every_promise_kept(pair, customers)
        print(f"{len(customers.history.acknowledged)} messages; {dict(customers.failures)}")


async def _every_promise_kept(pair: Pair, customers: Customers, seconds: float = 120) -> None:
    """Wait until it is so; the last verdict, where nothing has moved for so many seconds: a busy machine is slow."""
    before, deadline = -1, 0.0
    while not (verdict := judge(customers.history, found := await read(pair.instance))).good:
        done = sum(counts.total() for counts in found.effects.values())
        if done != before:
            before, deadline = done, time.monotonic() + seconds
        assert time.monotonic() < deadline, f"nothing moves for {seconds} s: {verdict}"
        await asyncio.sleep(LOOK_SECONDS)  # sleep: to look is work for the servers, too
