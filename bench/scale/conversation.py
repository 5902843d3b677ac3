"""One conversation that grows: a batch that is appended, the newest page, and a page in its middle."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from flotilla.ids import new_id
from flotilla.testing.simulators.channel import Channel

from bench.scale.meter import Meter, show

BATCH = 200
APPENDED = 20
PAGE = 50
TIMES = 10


async def grow(sizes: Sequence[int]) -> None:
    """By the handler that every message comes through."""
    rows = []
    async with Meter.of("messaging") as meter:
        org, channel, number = new_id(), Channel(new_id()), 0

        async def append(count: int) -> None:
            nonlocal number
            said = [(org, channel.writes(number + each + 1)) for each in range(count)]
            number += count
            await meter.handle("inbound", said)

        await append(1)
        listed = await meter.get(org, "/v1/conversations")
        path = f"/v1/conversations/{listed['items'][0]['id']}/messages?limit={PAGE}"
        for size in sizes:
            while number < size:
                await append(min(BATCH, size - number))
            await meter.settle_statistics()
            middle = await _middle(meter, org, path, size)
            appended = (await meter.cost(lambda: append(APPENDED), TIMES)).per(APPENDED)
            newest = await meter.cost(lambda: meter.get(org, path), TIMES)
            deep = await meter.cost(partial(meter.get, org, middle), TIMES)
            names = ("a message appended", "newest page", "page in the middle")
            for what, cost in zip(names, (appended, newest, deep), strict=True):
                rows.append([f"{size:,}", what, *cost.cells()])
    show(f"A conversation grows (batches of {APPENDED}, pages of {PAGE})", ("messages", "what"), rows)


async def _middle(meter: Meter, org: UUID, path: str, size: int) -> str:
    """The page that begins half-way down."""
    cursor = ""
    for _ in range(size // 2 // PAGE):
        cursor = (await meter.get(org, f"{path}{cursor and '&cursor=' + cursor}"))["next_cursor"] or ""
    return f"{path}{cursor and '&cursor=' + cursor}"
