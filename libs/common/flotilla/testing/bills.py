"""What a piece of work asked of the stores: statements, commands to the document store, trips to Redis.

    with charged() as bill:
        await lane.handle(bodies)
    assert bill.statements.total() < 20

Counted where the clients send, by the task that does the work and those that it starts; what goes on beside it is on
no bill, or on its own.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
from pymongo import monitoring
from redis.asyncio.connection import AbstractConnection


@dataclass
class Bill:
    """What was asked for, by its words."""

    statements: Counter[str] = field(default_factory=Counter)
    """SQL to how often it was sent; BEGIN, SAVEPOINT and COMMIT too."""
    documents: Counter[str] = field(default_factory=Counter)
    """A command of the document store (`find messages`) to how often."""
    redis: Counter[str] = field(default_factory=Counter)
    """Trips to Redis (`trip`); a pipeline is one."""

    def total(self) -> int:
        """Round trips of all kinds."""
        return self.statements.total() + self.documents.total() + self.redis.total()

    def lines(self) -> Counter[str]:
        """All of it in one list."""
        return self.statements + self.documents + self.redis


LOOKS_UP_TYPES: Final = ("typeinfo_tree", "'jit'")
"""asyncpg's own statements, once a connection and a type: no event's."""
_charged: ContextVar[Bill | None] = ContextVar("charged", default=None)


@contextmanager
def charged() -> Iterator[Bill]:
    """A bill for what is done inside, and by tasks begun there."""
    bill = Bill()
    token = _charged.set(bill)
    try:
        yield bill
    finally:
        _charged.reset(token)


async def watch(pool: asyncpg.Pool, connections: int) -> None:
    """Have the statements of a pool of so many connections counted; call it once, while nobody uses them."""
    opened = [await pool.acquire() for _ in range(connections)]
    for connection in opened:
        connection.add_query_logger(_statement)
        await pool.release(connection)


def _statement(logged: Any) -> None:
    """Called in the context of the task that sent it."""
    if (bill := _charged.get()) is not None and not any(word in logged.query for word in LOOKS_UP_TYPES):
        bill.statements[" ".join(logged.query.split())] += 1


class _Commands(monitoring.CommandListener):
    """Hears each command of the document store in the task that sends it."""

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if (bill := _charged.get()) is not None:
            bill.documents[f"{event.command_name} {event.command.get(event.command_name, '')}"] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing."""


@contextmanager
def counting_clients() -> Iterator[None]:
    """Count what clients of the document store opened inside send, and every client of Redis."""
    sends = AbstractConnection.send_packed_command

    async def counted(connection: Any, *args: Any, **options: Any) -> None:
        if (bill := _charged.get()) is not None:
            bill.redis["trip"] += 1
        await sends(connection, *args, **options)

    listeners = monitoring._LISTENERS.command_listeners
    listener = _Commands()
    monitoring.register(listener)
    AbstractConnection.send_packed_command = counted  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        AbstractConnection.send_packed_command = sends  # type: ignore[method-assign]
        listeners.remove(listener)
