"""Every place where a process may die, under load, with two replicas: no promise is broken."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, get_args
from uuid import UUID

import pytest
from flotilla.bus.faults import Point
from flotilla.instance import Instance
from flotilla.testing.isolation import isolated
from flotilla.testing.plugin import StartService

from tests.chaos import subject
from tests.chaos.clients import Clients
from tests.chaos.reading import every_promise_kept, summary
from tests.chaos.replicas import Replicas, two_replicas
from tests.chaos.vendor import Vendor, running_vendor

ELSEWHERE: Final = {"sealing"}
"""The archive's own: see test_archive.py."""
MORE_PASSES: Final = 4
"""So many passes later a process dies in the next round: in the midst of things, not at the first."""
DEATH_SECONDS: Final = 180.0
POINTS: Final = [point for point in get_args(Point) if point not in ELSEWHERE]


@pytest.fixture
async def stores(worker: str) -> AsyncIterator[Instance]:
    """A database and a vhost of this test's own."""
    async with isolated(subject.service, worker) as instance:
        yield instance


async def test_no_promise_is_broken_wherever_a_process_dies(
    stores: Instance, start_service: StartService, org: UUID, tmp_path: Path, rounds: int
) -> None:
    """In each round one replica goes from death to death, each time after some passes, while the other works on."""
    async with (
        start_service(subject.service, instance=stores, lanes_paused=True) as watching,
        running_vendor() as vendor,
        two_replicas(stores, watching.client(org), tmp_path, vendor_port=vendor.port) as replicas,
    ):
        clients = Clients(replicas.reached, seed=1)
        async with clients.asking():
            for round_ in range(rounds):
                for number, point in enumerate(POINTS):
                    victim = replicas.all[number % 2]
                    await victim.end(signal.SIGTERM)
                    await victim.start(point, str(round_ * 3))
                    assert await victim.died() == -signal.SIGKILL, point
                    await victim.start()
            await _die_while_the_vendor_works(replicas, vendor)
        await every_promise_kept(stores, org, clients, vendor)
        print(summary(clients, vendor))
        assert len(clients.history.acknowledged) > 50


async def _die_while_the_vendor_works(replicas: Replicas, vendor: Vendor) -> None:
    """The outside has accepted what it was asked for, and who asked never hears of it."""
    killed = asyncio.get_running_loop().create_future()

    def kill(pid: int) -> None:
        vendor.before_answering = None
        os.kill(pid, signal.SIGKILL)
        killed.set_result(pid)

    vendor.before_answering = kill
    async with asyncio.timeout(DEATH_SECONDS):
        pid = await killed
    victim = next(replica for replica in replicas.all if replica.pid == pid)
    await victim.died()
    await victim.start()
