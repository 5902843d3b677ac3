"""The real services, two replicas of each: killed, restarted one after the other, their servers crashed, under load.

Each customer's message has each of its effects once, from the webhook to the draft, the live feed and the archive; a
reply reaches its customer once; a contact's copy is as new as the contact. Nothing is left over. A restart fails no
request, of any service; a death excuses what `tests.chaos.gateways` says, and nothing else.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from flotilla.service import FLEET

from tests.chaos.fleets import Callers, Pair, callers_of, pair_of_fleets
from tests.chaos.standing import every_promise_kept

SERVERS: Final = ("redis", "documents", "rabbitmq", "postgres")
WAY: Final = ("gateway", "integrations", "messaging", "crm", "ai", "websocket", "analytics")
"""Those that a message passes through."""
AT_ONCE: Final = 4
"""So many services are restarted or killed together, for they take long to start: one replica of each."""


@pytest.fixture
async def pair(tmp_path: Path, long: bool) -> AsyncIterator[Pair]:
    async with pair_of_fleets(tmp_path, FLEET if long else WAY) as started:
        yield started


async def test_a_fleet_that_is_restarted_killed_and_robbed_of_its_servers(pair: Pair, long: bool) -> None:
    async with callers_of(pair) as callers:
        async with callers.calling():
            await callers.more()
            for replica in (0, 1) if long else (0,):
                for services in _waves(FLEET if long else WAY):
                    await pair.restart(replica, *services)
            await callers.more()
            assert not callers.gateways.failures, callers.gateways.failures
            await callers.colleague.sign_in()
            for services in _waves(FLEET) if long else ():
                await pair.kill(*services)
                await callers.more()
            await callers.colleague.sign_in()
            for server in SERVERS if long else SERVERS[:2]:
                await pair.crash(server)
                await callers.more()
        await every_promise_kept(pair.instance, callers)
        print(_summary(callers))
        assert not callers.gateways.surprises, callers.gateways.surprises


def _waves(services: Sequence[str]) -> Iterator[Sequence[str]]:
    return (services[first : first + AT_ONCE] for first in range(0, len(services), AT_ONCE))


def _summary(callers: Callers) -> str:
    history, gateways = callers.customers.history, callers.gateways
    sent = Counter(each.chat for each in callers.telegram.sent)
    numbers = (
        f"{len(history.acknowledged)} messages, {sent.total()} replies, {callers.colleague.rounds} rounds"
    )
    return f"{numbers}; {dict(gateways.failures)}"
