"""What stands in the stores after a day's work, and when nothing more is to come of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import aio_pika
import aiohttp
import asyncpg
from flotilla.fleet import Fleet

from bench.fleet.spent import Spent

Look = Callable[[], Awaitable[Spent]]
"""What was spent up to now."""
POLL_SECONDS: Final = 2.0
COUNTS: Final = {
    "stored": "SELECT count(*) FROM messaging.messages WHERE direction = 'in'",
    "twice stored": """
        SELECT count(*) - count(DISTINCT (organization_id, conversation_id, external_id))
        FROM messaging.messages WHERE direction = 'in'""",
    "analyzed": "SELECT count(*) FROM ai.analyses",
    "drafts": "SELECT count(*) FROM ai.drafts",
    "drafted": "SELECT count(DISTINCT (organization_id, message_id)) FROM ai.drafts",
    "approved": "SELECT count(*) FROM ai.drafts WHERE state = 'approved'",
    "superseded": "SELECT count(*) FROM ai.drafts WHERE state = 'failed' AND reason = 'superseded'",
    "failed": "SELECT count(*) FROM ai.drafts WHERE state = 'failed' AND reason <> 'superseded'",
    "replies": "SELECT count(*) FROM messaging.messages WHERE direction = 'out'",
    "replied": "SELECT count(DISTINCT (organization_id, draft_id)) FROM messaging.messages WHERE direction = 'out'",
    "answered": """
        SELECT count(*) FROM messaging.messages
        WHERE direction = 'out' AND state IN ('sent', 'delivered', 'read')""",
}
"""By a name, over all organizations. `analyzed`: what ai has had; what it had and did not draft it was not to."""
STILL: Final = ("stored", "analyzed", "approved", "answered", "unpublished")
"""Of the counts, those that say whether all is done."""
OF_THE_BUS: Final = {"parked": "parked_events", "unpublished": "outbox"}
"""Tables that each service has in its `<service>_bus`: events that failed, tried again or not, and events that are
still to be published."""


async def counted(fleet: Fleet, only: tuple[str, ...] | None = None) -> dict[str, int]:
    """What stands in the stores at one moment: a service that is behind goes on writing while this counts."""
    asked = {name: sql for name, sql in _questions(fleet).items() if only is None or name in only}
    connection = await asyncpg.connect(fleet.instance.admin_dsn())
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {name: await connection.fetchval(sql) for name, sql in asked.items()}
    finally:
        await connection.close()


async def caught_up(fleet: Fleet, seconds: float, look: Look) -> tuple[float | None, Spent]:
    """Wait until nothing is to come any more: the moment (`time.monotonic`) and what was spent until then.

    Then ai has had every message, every approved draft is answered, every event published and none waits in a lane (of
    the archive, say). Seen twice in a row, as what was drafted last is approved a moment later. The moment is None
    where it takes longer than so many seconds.
    """
    queues = await _queues(fleet)
    deadline, first = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        now = time.monotonic()
        if not await _is_done(fleet, queues):
            first = None
        elif first is None:
            first = now, await look()
        else:
            return first
        await asyncio.sleep(POLL_SECONDS)
    return None, await look()


async def _is_done(fleet: Fleet, queues: Sequence[str]) -> bool:
    counts = await counted(fleet, STILL)
    behind = counts["stored"] - counts["analyzed"], counts["approved"] - counts["answered"]
    return not any((*behind, counts["unpublished"])) and not await _waiting(fleet, queues)


async def _queues(fleet: Fleet) -> list[str]:
    instance = fleet.instance
    known = aiohttp.BasicAuth("flotilla", instance.secrets.rabbitmq)
    url = f"{instance.rabbitmq_management_url}/api/queues/{instance.vhost}?columns=name,exclusive"
    async with aiohttp.ClientSession(auth=known) as session, session.get(url) as answer:
        return [queue["name"] for queue in await answer.json() if not queue["exclusive"]]


async def _waiting(fleet: Fleet, queues: Sequence[str]) -> int:
    """Asked of the queues themselves: what the broker's HTTP interface says is ten seconds old."""
    async with await aio_pika.connect(fleet.instance.amqp_url, timeout=10) as connection:
        channel = await connection.channel()
        found = [await channel.declare_queue(name, passive=True) for name in queues]
        return sum(queue.declaration_result.message_count or 0 for queue in found)


def _questions(fleet: Fleet) -> Mapping[str, str]:
    services = fleet.instance.services
    sums = {
        name: "SELECT " + " + ".join(f"(SELECT count(*) FROM {each}_bus.{table})" for each in services)
        for name, table in OF_THE_BUS.items()
    }
    return COUNTS | sums
