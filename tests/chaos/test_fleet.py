"""The real services, two replicas of each: killed, restarted one after the other, their servers crashed, under load.

Each customer's message has each of its effects once, from the webhook to the draft, the live feed and the archive.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from flotilla.service import FLEET
from flotilla.testing import eventually

from tests.chaos.fleets import Customers, Pair, customers_of, pair_of_fleets, read
from tests.chaos.history import judge

SERVERS: Final = ("redis", "documents", "rabbitmq", "postgres")
WAY: Final = ("gateway", "integrations", "messaging", "crm", "ai", "websocket", "analytics")
"""Those that a message passes through."""


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
        await eventually(lambda: _every_promise_kept(pair, customers), seconds=120)
        print(f"{len(customers.history.acknowledged)} messages; {dict(customers.failures)}")


async def _every_promise_kept(pair: Pair, customers: Customers) -> bool:
    verdict = judge(customers.history, await read(pair.instance))
    assert verdict.good, str(verdict)
    return True
