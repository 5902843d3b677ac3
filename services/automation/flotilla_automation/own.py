"""What a process of automation holds: its way to webhooks, and the bindings of its lane."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from flotilla.app import App
from flotilla.bus.bindings import Following, LaneBindings
from flotilla.outside_http import OutsideHttp
from flotilla.public_addresses import PublicResolver

from flotilla_automation.settings import AutomationSettings
from flotilla_automation.store import wanted

LANE: Final = "events"


@dataclass
class Bound:
    """Keeps the lane bound to what rules want.

    Who enables a rule binds before it commits, so that no event is missed after. All processes hear of the commit
    and bind again.
    """

    app: App
    lane: LaneBindings

    async def bind(self, types: Iterable[str]) -> None:
        """Have these types come; BROKER_ERRORS where the broker is away."""
        names = sorted(types)
        await wanted.note_bound(self.app.db, names)
        await self.lane.bind(names)

    async def settle(self) -> None:
        """Bind all that is wanted; unbind what nobody has wanted for a while."""
        await wanted.forget_retired(self.app.db)
        await self.bind_wanted()
        settings = self.app.settings
        assert isinstance(settings, AutomationSettings)
        left = await wanted.take_unwanted(self.app.db, settings.unbind_after_seconds)
        await self.lane.unbind(left)
        # Somebody may have bound one between the two statements; they noted it before they did.
        await self.lane.bind(await wanted.still_bound(self.app.db, left))

    async def bind_wanted(self) -> None:
        """Bind what rules want now."""
        await self.bind(await wanted.wanted(self.app.db))


@dataclass(frozen=True, slots=True)
class Own:
    """`App.own` of automation."""

    http: OutsideHttp
    bound: Bound


def own(app: App) -> Own:
    """What this process holds."""
    held = app.own
    assert isinstance(held, Own)
    return held


@asynccontextmanager
async def opened(app: App) -> AsyncIterator[Own]:
    """Open the client, and listen for rules that others enable."""
    assert isinstance(app.settings, AutomationSettings)
    options = {} if app.settings.trusts_private_addresses else {"resolver": PublicResolver()}
    lane = LaneBindings(app.settings.amqp_url.get_secret_value(), app.service.name, LANE)
    bound = Bound(app, lane)
    following = Following(LANE, bound.bind_wanted)
    async with OutsideHttp.opened(**options) as http:
        tasks = [
            asyncio.create_task(app.db.listen(wanted.CHANGED, following.heard, following.heard)),
            asyncio.create_task(following.run()),
        ]
        try:
            yield Own(http, bound)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await lane.close()
