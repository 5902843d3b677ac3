"""Filling the shadow: each stretch of the archive in one transaction with the position it ends at."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog

from flotilla.app import App
from flotilla.bus import envelope
from flotilla.bus.connection import INFRASTRUCTURE_ERRORS
from flotilla.bus.declare import Handler
from flotilla.bus.dispatch import newest
from flotilla.bus.envelope import Received
from flotilla.events.base import CONTRACTS, Event, contract_of
from flotilla.replay import store, wire
from flotilla.replay.gate import ShadowTransaction, StretchError, shadow_of
from flotilla.replay.opening import begin
from flotilla.replay.plan import projections
from flotilla.replay.wire import Stretch
from flotilla.store.postgres import Transaction
from flotilla.telemetry.logs import own_words

log = structlog.get_logger()

STARTS: Final = 5
"""A stretch that so many processes began and none ended is what they died of."""


class Filler:
    """Handles the messages of `<service>.replay`: its `Handling`."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.patient = True
        self._begun: tuple[UUID, int] | None = None

    async def handle(self, bodies: Sequence[bytes]) -> None:
        """Do each; what cannot be done ends its replay."""
        for body in bodies:
            try:
                stretch = wire.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                log.error("replay.unreadable", error=type(error).__name__)
                continue
            await self._take(stretch)

    async def _take(self, stretch: Stretch) -> None:
        if stretch.opening is not None:
            await begin(self.app, stretch.id, stretch.opening, stretch.abort)
            return
        try:
            if stretch.abort is not None:
                raise StretchError(stretch.abort)
            if await self._may_begin(stretch):
                await self._fill(stretch)
        except Exception as error:
            if self.patient and isinstance(error, INFRASTRUCTURE_ERRORS):
                raise
            log.error("replay.failed", replay=str(stretch.id), exc_info=error)
            async with self.app.db.transaction([]) as tx:
                await store.give_up(tx, stretch.id, _words(error))

    async def _may_begin(self, stretch: Stretch) -> bool:
        """Written down once a process, before it is begun: it may be what kills."""
        mark = (stretch.id, stretch.upto)
        if self._begun != mark:
            begun = await store.begun(self.app.db, stretch.id)
            if begun > STARTS:
                raise StretchError(f"the process died {STARTS} times over positions up to {stretch.upto}")
            self._begun = mark if begun else None
        return self._begun is not None

    async def _fill(self, stretch: Stretch) -> None:
        events = [_received(raw) for raw in stretch.events]
        async with self.app.db.transaction({event.org for event in events}) as tx:
            position = await store.position(tx, stretch.id)
            if position is None or stretch.upto < position:
                return
            if position < stretch.after:
                raise StretchError(f"positions {position + 1} to {stretch.after} have not come")
            new = [event for at, event in zip(stretch.positions, events, strict=True) if at > position]
            if new:
                await self._apply(tx, stretch.id, new)
            await store.keep_organizations(tx, stretch.id, stretch.organizations)
            await store.advance(tx, stretch.id, stretch.upto, len(new), caught_up=stretch.caught_up)

    async def _apply(self, tx: Transaction, id_: UUID, events: list[Received[Any]]) -> None:
        wanted = set(await tx.fetchval(store.PROJECTIONS, id_))
        async with shadow_of(tx) as shadow:
            for handler in projections(self.app.service):
                if handler.name in wanted:
                    await _run(shadow, handler, events)  # outside: a handler's own SQL, as in its lane
        await store.keep_notices(tx, id_, shadow.notices)


async def _run(shadow: ShadowTransaction, handler: Handler, events: Sequence[Received[Any]]) -> None:
    types = {contract_of(type_).type for type_ in handler.types}
    if own := newest([event for event in events if event.envelope.type in types]):
        await shadow.run(handler, own)


def _received(raw: msgspec.Raw) -> Received[Event]:
    found = envelope.decode(bytes(raw))
    try:
        return envelope.receive(found, CONTRACTS[found.type])
    except (KeyError, msgspec.ValidationError) as error:
        raise StretchError(f"{found.type} {found.id} breaks its contract") from error


def _words(error: Exception) -> str:
    return own_words(error) or type(error).__name__
