"""Keeping the partners' lane bound to the types that subscriptions want."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog
from flotilla.app import App
from flotilla.bus.bindings import LaneBindings

from flotilla_integrations.partners.offer import expand
from flotilla_integrations.partners.store import wants

log = structlog.get_logger()

LANE: Final = "partners"
UNBIND_AFTER_SECONDS: Final = 60.0
"""How long a type stays bound that nobody wants; longer than any request takes."""


@dataclass
class Bound:
    """Keeps the lane bound.

    Who makes a subscription binds before it commits, so that no event is missed after. All processes hear of the
    commit and bind again, which costs nothing and mends what an unbinding at the same moment undid.
    """

    app: App
    lane: LaneBindings
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def bind(self, types: Iterable[str]) -> None:
        """Have these types come; BROKER_ERRORS where the broker is away."""
        names = sorted(types)
        await wants.note_bound(self.app.db, names)
        await self.lane.bind(names)

    async def settle(self) -> None:
        """Bind all that is wanted; unbind what nobody has wanted for a while."""
        wanted = await self._wanted()
        await self.bind(wanted)
        left = await wants.take_unwanted(self.app.db, UNBIND_AFTER_SECONDS, wanted)
        await self.lane.unbind(left)
        # Somebody may have bound one between the two statements; they noted it before they did.
        await self.lane.bind(await wants.still_bound(self.app.db, left))

    def heard(self, _: str = "") -> None:
        """A subscription was made or changed somewhere."""
        self._changed.set()

    async def follow(self) -> None:
        """Bind what was committed elsewhere, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.bind(await self._wanted())
            except Exception as error:  # whatever it is, the worker's next turn does it
                log.warning("partners.bindings_behind", error=repr(error))

    async def _wanted(self) -> frozenset[str]:
        """Expanded anew each time: a new release may have more types of an entity."""
        return expand(await wants.patterns(self.app.db))
