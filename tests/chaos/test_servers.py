"""Servers that die and come back, and a network that is slow, torn or silent, under load: no promise is broken."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from flotilla.testing.plugin import StartService

from tests.chaos.reading import every_promise_kept, summary
from tests.chaos.servers import BROKER, DATABASE, Stage, staged
from tests.chaos.toxiproxy import Stream

SLOW = {BROKER: 200, DATABASE: 30}
"""Milliseconds more for each answer: a broker far away, a database in another building."""
LOST: Final[tuple[tuple[tuple[Stream, ...], ...], ...]] = (
    (("upstream", "downstream"),),
    (("downstream",), ("upstream",)),
)
"""What does not get through half-open connections, one after the other in each round: nothing does, as if a cable were
pulled; then only answers are lost, and only what is asked."""


async def test_no_promise_is_broken_whatever_happens_to_the_servers(
    tmp_path: Path, start_service: StartService, org: UUID, rounds: int, long: bool
) -> None:
    async with staged(tmp_path, start_service, org) as stage:
        async with stage.clients.asking():
            for round_ in range(rounds):
                await _slow(stage)
                await _torn(stage)
                await _blocked(stage)
                await _killed(stage)
                # To notice it takes half a minute: in the short form it is for libs/common/tests/bus/test_half_open.py.
                for streams in LOST[round_ % len(LOST)] if long else ():
                    await _silent(stage, streams)
            if long:
                await _unconfirming(stage)
        instance, clients, vendor = stage.nodes.instance, stage.clients, stage.vendor
        await every_promise_kept(instance, org, clients, vendor)
        print(summary(clients, vendor))


async def _slow(stage: Stage) -> None:
    for name, milliseconds in SLOW.items():
        async with stage.network.latency(name, milliseconds):
            await stage.promises(20)


async def _torn(stage: Stage) -> None:
    for name in (BROKER, DATABASE):
        await stage.promises()
        await stage.network.reset(name)
    await stage.promises()


async def _blocked(stage: Stage) -> None:
    """A broker in alarm takes nothing from publishers: what they wrote waits in the outbox."""
    await stage.alarm(True)
    try:
        await stage.promises()
    finally:
        await stage.alarm(False)
    await stage.promises()


async def _unconfirming(stage: Stage) -> None:
    """A broker that takes what is published and never says so: it goes out again, and has its effects once."""
    await stage.confirming(False)
    try:
        await stage.promises()
        await stage.unconfirmed()
    finally:
        await stage.confirming(True)
    await stage.promises()


async def _killed(stage: Stage) -> None:
    for server in (stage.nodes.rabbitmq, stage.nodes.postgres):
        await stage.promises()
        await stage.nodes.end(server, clean=False)
        await server.start()
    await stage.promises()


async def _silent(stage: Stage, streams: Sequence[Stream]) -> None:
    """Half-open: what is said is lost, and nothing is closed. It is noticed all the same."""
    for name in (BROKER, DATABASE):
        async with stage.network.silence(name, *streams):
            await stage.noticed(name)
        await stage.promises()
