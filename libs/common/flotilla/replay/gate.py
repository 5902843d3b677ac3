"""What the live lanes do while a replay is open: every event goes into both generations, in one transaction.

A transaction of projections passes the gate first. It learns of an open replay there, or that there is none, and
nobody begins or ends one until it has committed. Where the shadow refuses what the table took, the replay fails and
the event does not.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import Handler, HandlerKind
from flotilla.bus.envelope import Received
from flotilla.replay import store
from flotilla.replay.twins import schema_of
from flotilla.replay.wire import Opening
from flotilla.store.postgres import Row, Transaction
from flotilla.telemetry.logs import own_words

log = structlog.get_logger()

GATE: Final = "SELECT * FROM replay_gate()"


class NotACopyError(RuntimeError):
    """A projection did something besides keeping its copy; it cannot be built anew."""


class StretchError(RuntimeError):
    """The shadow can't be filled with this; the replay fails, and says so."""


class ShadowTransaction(Transaction):
    """The same transaction for a projection that fills the shadow: what would be heard outside is held back."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx._connection, tx.app, None)
        self.notices: set[tuple[str, str]] = set()
        """(channel, payload) to be told when the generation is shown."""

    async def run(self, handler: Handler, events: Sequence[Received[Any]]) -> None:
        """As the live lanes do, which may see other rows: what fails together may do apart; StretchError for what
        fails alone."""
        try:
            async with self.savepoint():
                await handler.run(self, events)
        except INFRASTRUCTURE_ERRORS:
            raise
        except Exception as error:
            if len(events) == 1:
                which = f"{events[0].envelope.type} {events[0].id}"
                words = own_words(error) or type(error).__name__
                raise StretchError(f"{handler.name} cannot do {which}: {words}") from error
            middle = len(events) // 2
            await self.run(handler, events[:middle])
            await self.run(handler, events[middle:])

    def emit(self, *args: Any, **options: Any) -> UUID:
        """Never: whose event it was would be told again."""
        raise NotACopyError("a projection emits nothing")

    def enqueue(self, *args: Any, **options: Any) -> None:
        """Never."""
        raise NotACopyError("a projection leaves no work")

    def set_timer(self, *args: Any, **options: Any) -> None:
        """Never."""
        raise NotACopyError("a projection sets no timer")

    def cancel_timer(self, *args: Any, **options: Any) -> None:
        """Never."""
        raise NotACopyError("a projection sets no timer")

    async def arrived(self, entity: str, subjects: Sequence[object]) -> None:
        """Not yet: who waits is woken at the end."""

    async def notify(self, channel: str, payload: str = "") -> None:
        """Not yet: told at the end."""
        self.notices.add((channel, payload))


@asynccontextmanager
async def shadow_of(tx: Transaction) -> AsyncIterator[ShadowTransaction]:
    """Inside, names of tables mean the shadow's where it has them; undone as a whole where it raises."""
    service = tx.app.settings.service
    path = f"{service}, {service}_bus, extensions"
    async with tx.savepoint():
        await tx.execute(f"SET LOCAL search_path = {schema_of(service)}, {path}")
        yield ShadowTransaction(tx)
        await tx.execute(f"SET LOCAL search_path = {path}")


@dataclass
class OpenReplay:
    """The replay that is open, as the live lanes need it."""

    id: UUID
    projections: frozenset[str]
    organizations: frozenset[UUID]
    """None: all."""
    notices: set[tuple[str, str]] = field(default_factory=set)
    """Held back in this transaction."""

    @classmethod
    def of(cls, row: Row) -> "OpenReplay":
        """Of its row."""
        opening = msgspec.convert(row["opening"], Opening)
        return cls(row["id"], frozenset(row["projections"]), frozenset(opening.filter.organizations))

    async def follow(self, tx: Transaction, handler: Handler, events: Sequence[Received[Any]]) -> None:
        """Apply live events to the shadow too, after the table."""
        wanted = [event for event in events if not self.organizations or event.org in self.organizations]
        if handler.name not in self.projections or not wanted:
            return
        try:
            async with shadow_of(tx) as shadow:
                await shadow.run(handler, wanted)  # outside: a handler's own SQL, as in its lane
        except StretchError as error:
            log.error("replay.diverged", handler=handler.name, exc_info=error)
            await store.give_up(tx, self.id, str(error))
            return
        self.notices |= shadow.notices

    async def keep_notices(self, tx: Transaction) -> None:
        """At the end of the transaction: who fills the shadow writes them at its end too, so neither waits in a
        circle."""
        await store.keep_notices(tx, self.id, self.notices)


async def pass_gate(tx: Transaction, handlers: Sequence[Handler]) -> OpenReplay | None:
    """Called first in each transaction of live handlers: the open replay, where any of them has a shadow."""
    if not any(handler.kind is HandlerKind.PROJECTION and handler.tables for handler in handlers):
        return None
    row = await tx.fetchrow(GATE)
    return OpenReplay.of(row) if row else None
