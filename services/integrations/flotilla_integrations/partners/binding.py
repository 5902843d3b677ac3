"""Keeping the partners' lane bound to the types that subscriptions want."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from flotilla.app import App
from flotilla.bus.bindings import LaneBindings

from flotilla_integrations.partners.offer import expand
from flotilla_integrations.partners.store import wants

LANE: Final = "partners"
UNBIND_AFTER_SECONDS: Final = 60.0
"""How long a type stays bound that nobody wants; longer than any request takes."""


@dataclass
class Bound:
    """Keeps the lane bound.

    Who makes a subscription binds before it commits, so that no event is missed after. All processes hear of the
    commit and bind again.
    """

    app: App
    lane: LaneBindings

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

    async def bind_wanted(self) -> None:
        """Bind what subscriptions want now."""
        await self.bind(await self._wanted())

    async def _wanted(self) -> frozenset[str]:
        """Expanded anew each time: a new release may have more types of an entity."""
        return expand(await wants.patterns(self.app.db))
