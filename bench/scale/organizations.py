"""More organizations: a batch of one's messages, a batch from many, and one's own list."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from flotilla.events.base import Event
from flotilla.events.integrations import SenderProfile
from flotilla.events.messaging import MessageReceived
from flotilla.ids import new_id
from flotilla.testing.simulators.channel import Channel

from bench.scale.meter import Cost, Meter, show

BATCH = 200
TIMES = 10
Rows = list[list[str]]


async def grow(sizes: Sequence[int]) -> None:
    """In messaging, where a message gets its place, and in crm, where its sender is met."""
    rows: Rows = []
    await _grow("messaging", "inbound", _written, "/v1/conversations", sizes, rows)
    await _grow("crm", "people", received, "/v1/contacts", sizes, rows)
    show(f"More organizations (batches of {BATCH})", ("organizations", "what"), rows)


async def _grow(
    service: str, lane: str, make: Callable[[], Event], path: str, sizes: Sequence[int], rows: Rows
) -> None:
    async with Meter.of(service) as meter:
        orgs = [new_id()]
        await meter.handle(lane, [(orgs[0], make())])
        for size in sizes:
            while len(orgs) < size:
                new = [new_id() for _ in range(min(BATCH, size - len(orgs)))]
                await meter.handle(lane, [(org, make()) for org in new])
                orgs += new
            await meter.settle_statistics()

            async def from_one(org: UUID = orgs[0]) -> None:
                await meter.handle(lane, [(org, make()) for _ in range(BATCH)])

            async def from_many(all_orgs: Sequence[UUID] = tuple(orgs)) -> None:
                chosen = [all_orgs[each % len(all_orgs)] for each in range(BATCH)]
                await meter.handle(lane, [(org, make()) for org in chosen])

            costs: list[tuple[str, Cost]] = [
                (f"{service}: a message, all of one", (await meter.cost(from_one, TIMES)).per(BATCH)),
                (f"{service}: a message, of many", (await meter.cost(from_many, TIMES)).per(BATCH)),
                (f"{service}: GET {path}", await meter.cost(_asking(meter, orgs[-1], path), TIMES)),
            ]
            rows += [[f"{size:,}", what, *cost.cells()] for what, cost in costs]


def _asking(meter: Meter, org: UUID, path: str) -> Callable[[], Awaitable[object]]:
    return lambda: meter.get(org, path)


def _written() -> Event:
    """Of a customer who has not written before."""
    return Channel(new_id()).writes(1)


def received() -> Event:
    """A message of somebody who has not written before."""
    return MessageReceived(
        message_id=new_id(),
        conversation_id=new_id(),
        position=1,
        account_id=new_id(),
        channel="telegram",
        identity_id=new_id(),
        contact_id=None,
        assignee_id=None,
        sender=SenderProfile(address="4711", name="Zoë Groß"),
        text="Is the blue one still to be had?",
        sent_at=datetime.now(UTC),
        ai_enabled=True,
        first=True,
    )
