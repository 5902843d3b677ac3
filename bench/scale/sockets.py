"""More people who look on at once: what an open WebSocket costs, at rest and while events come.

People come on top of those who are there, so that memory is that of all of them.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from flotilla.bus.envelope import encode
from flotilla.bus.topology import EXCHANGE
from flotilla.bus.wire.frames import Message
from flotilla.bus.wire.publisher import Publisher
from flotilla.cause import Cause
from flotilla.events.crm import ContactCreated
from flotilla.ids import new_id
from flotilla.open_files import allow_all_files
from rich.console import Console
from rich.table import Table

from bench.fleet.stage import HOLDERS, ORGANIZATIONS, WATCHED, Stage, staged

REST_SECONDS: Final = 25.0
"""A heartbeat: in it each socket is pinged once."""
EVENTS_A_SECOND: Final = 50
LOAD_SECONDS: Final = 20.0
LANDED_SECONDS: Final = 3.0


async def grow(sizes: Sequence[int]) -> None:
    """So many sockets, each time at rest for a heartbeat, then with events of all organizations."""
    opened = Table(
        "sockets", "opened/s", "ms to open: gateway", "websocket", "KiB: gateway", "websocket", box=None
    )
    rest = Table("sockets", *(f"at rest, ms of CPU a second: {name}" for name in WATCHED), box=None)
    load = Table(
        *("sockets", "frames/s", "missing", "closed", "µs a frame: gateway", "websocket", "p50 ms", "p99 ms"),
        box=None,
    )
    async with staged(max(sizes)) as stage:
        print(f"gateways: {len(stage.gateways) + 1}, files a process may open: {allow_all_files():,}")
        await asyncio.sleep(LANDED_SECONDS)
        empty, there = stage.memory(), 0
        rest.add_row("0", *_a_second(await _at_rest(stage)))
        for size in sorted(sizes):
            before = stage.cpu()
            seconds = await stage.come(size - there)
            spent, new, there = _since(stage.cpu(), before), size - there, size
            held = {name: (bytes_ - empty[name]) / size / 1024 for name, bytes_ in stage.memory().items()}
            costs = [f"{spent[name] / new * 1000:.2f}" for name in HOLDERS]
            kept = [f"{held[name]:.1f}" for name in HOLDERS]
            opened.add_row(f"{size:,}", f"{new / seconds:,.0f}", *costs, *kept)
            resting = await _at_rest(stage)
            rest.add_row(f"{size:,}", *_a_second(resting))
            load.add_row(f"{size:,}", *await _under_load(stage, size, resting))
            for table in (opened, rest, load):
                Console(width=150).print(table)


async def _at_rest(stage: Stage) -> dict[str, float]:
    """Seconds of CPU in `REST_SECONDS`."""
    before = stage.cpu()
    await asyncio.sleep(REST_SECONDS)
    return _since(stage.cpu(), before)


async def _under_load(stage: Stage, size: int, resting: Mapping[str, float]) -> list[str]:
    """What a frame costs beside what the sockets cost at rest; how late it comes to all of an organization's."""
    await stage.seen()
    before, began = stage.cpu(), time.monotonic()
    number = await _published(stage)
    seconds = time.monotonic() - began
    await asyncio.sleep(LANDED_SECONDS)
    used = _since(stage.cpu(), before)
    share = (seconds + LANDED_SECONDS) / REST_SECONDS
    sights = await stage.seen()
    frames = sum(sight.events for sight in sights)
    expected = sum(len(range(organization, size, ORGANIZATIONS)) for organization in _turns(number))
    costs = [f"{(used[name] - resting[name] * share) / max(frames, 1) * 1e6:,.0f}" for name in HOLDERS]
    most = max(sights, key=lambda sight: sight.events)
    closed = sum(sight.closed for sight in sights)
    return [
        f"{frames / seconds:,.0f}",
        f"{expected - frames:,}",
        f"{closed:,}",
        *costs,
        f"{most.p50_ms:,.0f}",
        f"{most.p99_ms:,.0f}",
    ]


def _turns(number: int) -> Sequence[int]:
    return [each % ORGANIZATIONS for each in range(number)]


async def _published(stage: Stage) -> int:
    """Events at a fixed rate, of one organization after the other; how many."""
    instance, cause = stage.fleet.instance, Cause.fresh("service:bench")
    publisher = await Publisher.open(instance.amqp_url, "bench")
    number, began = int(EVENTS_A_SECOND * LOAD_SECONDS), time.monotonic()
    for each, organization in enumerate(_turns(number)):
        if (delay := began + each / EVENTS_A_SECOND - time.monotonic()) > 0:
            await asyncio.sleep(delay)
        event = encode(
            _contact(),
            org=stage.organizations[organization],
            sequence=1,
            cause=cause,
            region=instance.file.region,
            audience="org",
        )
        await publisher.publish(EXCHANGE, [Message(event.id, event.type, event.body)], seconds=30)
    await publisher.close()
    return number


def _contact() -> ContactCreated:
    return ContactCreated(
        contact_id=new_id(),
        name=f"@{time.monotonic():.6f}",
        email=None,
        phone=None,
        language=None,
        company_id=None,
        owner_id=None,
        tags=["x" * 300],
        source="api",
    )


def _since(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: seconds - before.get(name, 0.0) for name, seconds in now.items()}


def _a_second(used: Mapping[str, float]) -> list[str]:
    return [f"{used[name] / REST_SECONDS * 1000:,.1f}" for name in WATCHED]
